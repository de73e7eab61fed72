import { jest } from '@jest/globals';
import type pg from 'pg';
import {
  accountKey,
  decisionOf,
  decodeAccountEvent,
  InvariantBroken,
  type Decision,
} from '#libs/contracts';
import { testReadModels, type TestReadModels } from '../../../test/fixtures/read-models.js';
import type { TestAccount, TestRecorder } from '../../../test/fixtures/recorded-events.js';
import { entryKey } from './entry-key.js';
import { lookUp, type AccountToLookUp, type RequestToLookUp } from './look-up.js';
import { parkAccount, unparkAccount } from './operations/parked-accounts.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder } = models);
});
afterEach(() => models.drop());

const asking = ({ tenant_id, account_id }: TestAccount, head = -1): AccountToLookUp => ({
  key: accountKey(tenant_id, account_id),
  tenant_id,
  account_id,
  head,
});

const requestOf = (
  { tenant_id, account_id }: TestAccount,
  request_id: string,
): RequestToLookUp => ({
  tenant_id,
  account_id,
  request_id,
});

const accountsOf = async (...accounts: AccountToLookUp[]) =>
  (await lookUp(pool, { accounts, requests: [] })).accounts;
const answersOf = async (...requests: RequestToLookUp[]) =>
  (await lookUp(pool, { accounts: [], requests })).decisions;
const decisionsOf = async (...requests: RequestToLookUp[]) =>
  (await answersOf(...requests)).map((answer) => {
    if (answer instanceof InvariantBroken) throw answer;
    return answer;
  });

describe('an account', () => {
  it('that was never projected is at the beginning', async () => {
    expect(await accountsOf(asking(recorder.account('alice')))).toEqual([
      { revision: -1, parked: false, snapshot: { kind: 'not_newer' } },
    ]);
  });

  it('comes with its folded state when that is newer than what the caller has', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100, { expires_at: '2026-03-01T00:00:00Z' });
    recorder.use(alice, 'image.generation');
    await models.project();

    const snapshot = { kind: 'account', account: alice.account, head: alice.head };
    for (const head of [-1, 0]) {
      expect(await accountsOf(asking(alice, head))).toEqual([
        { revision: alice.head.revision, parked: false, snapshot },
      ]);
    }
  });

  it('comes without its state when the caller is as far, or further', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    await models.project();
    for (const head of [0, 1, 70]) {
      expect(await accountsOf(asking(alice, head))).toEqual([
        { revision: alice.head.revision, parked: false, snapshot: { kind: 'not_newer' } },
      ]);
    }
  });

  it('comes without a state that another version folded, and says so', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 100);
    await models.project();
    await pool.query("update read.accounts set state_version = 0, state = 'what is this'");
    const [answer] = await accountsOf(asking(alice));
    expect(answer).toEqual({
      revision: alice.head.revision,
      parked: false,
      snapshot: { kind: 'unusable' },
    });
  });

  it('comes without a state that cannot be read, and the other accounts with theirs', async () => {
    const [alice, bob] = [recorder.account('alice'), recorder.account('bob')];
    recorder.grant(alice, 100);
    recorder.grant(bob, 100);
    await models.project();
    for (const damaged of ['', '{', 'null', '{"available":"x"}']) {
      await pool.query("update read.accounts set state = $1 where account_id = 'alice'", [damaged]);
      const [first, second] = await accountsOf(asking(alice), asking(bob));
      expect(first!.snapshot).toEqual({ kind: 'unusable' });
      expect(second!.snapshot).toMatchObject({ kind: 'account', account: bob.account });
    }
  });

  it('tells whether it is parked, projected or not', async () => {
    const [alice, bob, eve] = ['alice', 'bob', 'eve'].map((id) => recorder.account(id)) as [
      TestAccount,
      TestAccount,
      TestAccount,
    ];
    recorder.grant(alice, 1);
    recorder.grant(bob, 1);
    await models.project();
    const source = { topic: 'ledger.usage', partition: 0, offset: 7 };
    await parkAccount(pool, { tenant_id: 'acme', account_id: 'bob', reason: 'broken', source });
    await parkAccount(pool, { tenant_id: 'acme', account_id: 'eve', reason: 'broken', source });
    await parkAccount(pool, { tenant_id: 'other', account_id: 'alice', reason: 'broken', source });
    const parked = async () =>
      (await accountsOf(asking(alice), asking(bob), asking(eve))).map((answer) => answer.parked);

    expect(await parked()).toEqual([false, true, true]);
    await unparkAccount(pool, 'acme', 'bob');
    expect(await parked()).toEqual([false, false, true]);
  });
});

describe('a request id', () => {
  it('gets its original decision, whatever it was', async () => {
    const alice = recorder.account('alice');
    const ids = ['granted', 'consumed', 'too-much', 'too-late'];
    recorder.grant(alice, 30, { request_id: 'granted' });
    recorder.use(alice, 'image.generation', 1, { request_id: 'consumed' });
    recorder.use(alice, 'image.generation', 1, { request_id: 'too-much' });
    recorder.grant(alice, 1, { request_id: 'too-late', expires_at: '2026-01-01T00:00:00Z' });
    await models.project();

    const decisions = await decisionsOf(...ids.map((id) => requestOf(alice, id)));
    expect(decisions).toEqual(
      alice.recorded.map(({ data, revision }) =>
        decisionOf(decodeAccountEvent(data) as Parameters<typeof decisionOf>[0], revision),
      ),
    );
    expect(decisions.map((decision) => decision?.outcome)).toEqual([
      'granted',
      'consumed',
      'rejected',
      'rejected',
    ]);
  });

  it('has none when it was not projected, or when it only caused what fell due', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 30, { expires_at: '2026-02-01T00:00:00Z' });
    recorder.wait(86_400_000);
    await models.project();
    recorder.ask(alice, { type: 'SweepRequested', request_id: 'sys:sweep:1' });
    recorder.use(alice, 'text.generation', 1, { request_id: 'later' });

    const asked = ['sys:sweep:1', 'later', 'never'].map((id) => requestOf(alice, id));
    expect(await decisionsOf(...asked)).toEqual([undefined, undefined, undefined]);
    await models.project();
    expect((await decisionsOf(...asked)).map((decision) => decision?.revision)).toEqual([
      undefined,
      2,
      undefined,
    ]);
  });

  it('I16: belongs to its account and its tenant alone', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 30, { request_id: 'r' });
    await models.project();
    const found = await decisionsOf(
      requestOf(alice, 'r'),
      requestOf(recorder.account('bob'), 'r'),
      requestOf(recorder.account('alice', 'other'), 'r'),
      // The same text over another boundary between the ids.
      { tenant_id: 'acm', account_id: 'ealice', request_id: 'r' },
    );
    expect(found.map((decision) => decision !== undefined)).toEqual([true, false, false, false]);
  });

  it('whose index row is of another request is loud', async () => {
    const alice = recorder.account('alice');
    recorder.grant(alice, 30, { request_id: 'a' });
    recorder.grant(alice, 30, { request_id: 'b' });
    await models.project();
    await pool.query('update read.entries set key = null where revision = 0');
    await pool.query('update read.entries set key = $1 where revision = 1', [
      entryKey('acme', 'alice', 'a'),
    ]);
    const [answer] = await answersOf(requestOf(alice, 'a'));
    expect(answer).toBeInstanceOf(InvariantBroken);
    expect((answer as InvariantBroken).message).toContain('at revision 1');
  });

  it('whose index row is damaged says so, and the others get their decisions', async () => {
    const [alice, bob] = [recorder.account('alice'), recorder.account('bob')];
    recorder.grant(alice, 30, { request_id: 'a' });
    recorder.grant(bob, 30, { request_id: 'b' });
    await models.project();
    for (const damaged of ['', '{', 'null', '{"type":"CreditsGranted"}']) {
      await pool.query("update read.entries set data = $1 where account_id = 'alice'", [damaged]);
      const [first, second] = await answersOf(requestOf(alice, 'a'), requestOf(bob, 'b'));
      expect(first).toBeInstanceOf(InvariantBroken);
      expect(second).toMatchObject({ outcome: 'granted', account_id: 'bob' });
    }
  });
});

describe('a batch', () => {
  it('of thousands is answered exactly, in the order of its questions, by one statement', async () => {
    const accounts = Array.from({ length: 200 }, (_, i) => recorder.account(`acct-${i}`));
    for (const account of accounts) recorder.grant(account, 1_000);
    const expected = new Map<string, Decision>();
    for (let i = 0; i < 3_000; i += 1) {
      const account = accounts[(i * 7) % accounts.length]!;
      const [event] = recorder.use(account, 'text.generation', 1, { request_id: `use-${i}` });
      const decided = decodeAccountEvent(event!.data) as Parameters<typeof decisionOf>[0];
      expected.set(`${account.account_id} use-${i}`, decisionOf(decided, event!.revision));
    }
    await models.project();

    const questions = {
      accounts: accounts.map((account, i) => asking(account, i % 2 === 0 ? -1 : 5_000)),
      requests: Array.from({ length: 4_000 }, (_, i) =>
        requestOf(accounts[(i * 7) % accounts.length]!, `use-${(i * 13) % 4_000}`),
      ),
    };
    const query = jest.spyOn(pool, 'query');
    const answers = await lookUp(pool, questions);
    expect(query).toHaveBeenCalledTimes(1);
    query.mockRestore();

    expect(answers.decisions).toEqual(
      questions.requests.map(({ account_id, request_id }) =>
        expected.get(`${account_id} ${request_id}`),
      ),
    );
    expect(answers.decisions.filter(Boolean).length).toBeGreaterThan(10);
    expect(answers.accounts).toEqual(
      accounts.map((account, i) => ({
        revision: account.head.revision,
        parked: false,
        snapshot:
          i % 2 === 0
            ? { kind: 'account', account: account.account, head: account.head }
            : { kind: 'not_newer' },
      })),
    );
  });

  it('without questions has no answers', async () => {
    expect(await lookUp(pool, { accounts: [], requests: [] })).toEqual({
      accounts: [],
      decisions: [],
    });
  });

  it.each([1, 100, 4_000])('of %i reads no table from end to end, however large', async (count) => {
    await pool.query(`
      insert into read.accounts select 'acme', 'a' || i, 0, 1, 0, '', 1, '{}'
        from generate_series(1, 100000) i;
      insert into read.entries select 0, gen_random_uuid(), 'acme', 'a' || i, '', repeat('x', 200)
        from generate_series(1, 100000) i;
      analyze read.accounts, read.entries`);
    const asked = Array.from({ length: count }, (_, i) => recorder.account(`a${i}`));
    const query = jest.spyOn(pool, 'query');
    await lookUp(pool, {
      accounts: asked.map((account) => asking(account, 0)),
      requests: asked.map((account) => requestOf(account, 'r')),
    });
    const [text, values] = query.mock.calls[0] as unknown as [string, unknown[]];
    query.mockRestore();
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`explain ${text}`, values);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('Index Scan using entries_key');
    expect(plan).toContain('Index Scan using accounts_pkey');
    expect(plan).not.toMatch(/Seq Scan on (entries|accounts)/);
  });
});
