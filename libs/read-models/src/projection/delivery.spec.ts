import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { InvariantBroken } from '#libs/contracts';
import {
  allRows,
  testReadModels,
  type TestReadModels,
} from '../../../../test/fixtures/read-models.js';
import type { RecordedEvent, TestRecorder } from '../../../../test/fixtures/recorded-events.js';
import { CheckpointMoved, createProjection, type Projection } from './projection.js';

let models: TestReadModels;
let pool: pg.Pool;
let recorder: TestRecorder;
let projection: Projection;
beforeEach(async () => {
  models = await testReadModels();
  ({ pool, recorder, projection } = models);
  for (const id of ['alice', 'bob']) {
    const account = recorder.account(id);
    recorder.grant(account, 100);
    recorder.use(account, 'text.generation', 3);
    recorder.use(account, 'image.generation');
  }
});
afterEach(() => models.drop());

/** The delivery changes no byte of any table. */
async function expectUnchanged(deliver: () => Promise<unknown>): Promise<void> {
  const before = await allRows(pool);
  await deliver();
  expect(await allRows(pool)).toEqual(before);
}

const expectBroken = (delivery: Promise<unknown>, message: string) =>
  expect(delivery).rejects.toThrow(
    expect.objectContaining({
      name: 'InvariantBroken',
      message: expect.stringContaining(message) as string,
    }) as Error,
  );

/** Takes a lock that stays until it is released. */
async function block(sql: string): Promise<() => Promise<void>> {
  const client = await pool.connect();
  await client.query(`begin; ${sql}`);
  return async () => {
    await client.query('rollback');
    client.release();
  };
}

const WAITING =
  "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

async function waiting(count: number): Promise<void> {
  while ((await pool.query(`select pid ${WAITING}`)).rowCount !== count) await sleep(5);
}

describe('F22: what was projected', () => {
  it('comes again in one batch, in others, or to a new process: nothing changes', async () => {
    const events = recorder.recorded;
    await projection.apply(events);
    await expectUnchanged(() => projection.apply(events));
    await expectUnchanged(() => projection.apply(events.slice(1, 3)));
    const restarted = createProjection(pool);
    await restarted.loadCheckpoint();
    await expectUnchanged(() => restarted.apply(events.slice(0, 4)));
    await expectUnchanged(() => restarted.apply([]));
  });

  it('comes in another order: nothing changes', async () => {
    await projection.apply(recorder.recorded);
    await expectUnchanged(() => projection.apply(recorder.recorded.toReversed()));
  });

  it('comes before what is new: only the new is projected, and the checkpoint never goes back', async () => {
    const events = recorder.recorded;
    await projection.apply(events.slice(0, 4));
    const old_ones_last = [...events.slice(2, 6), ...events.slice(0, 2)];
    const { event_id, position } = events[5]!;
    expect(await projection.apply(old_ones_last)).toEqual({
      events: 2,
      accounts: 1,
      checkpoint: { event_id, position },
      recorded_at: recorder.now,
    });
    expect((await allRows(pool)).entries).toHaveLength(6);
  });

  it('comes twice within one batch: it counts once', async () => {
    const events = recorder.recorded;
    await projection.apply([...events.slice(0, 2), ...events.slice(0, 3)]);
    expect((await allRows(pool)).accounts).toEqual([
      expect.objectContaining({ available: 77, revision: 2 }),
    ]);
  });

  it('comes with other content: it stops, although its place was projected long ago', async () => {
    const [first, ...others] = recorder.recorded as [RecordedEvent, ...RecordedEvent[]];
    await projection.apply(recorder.recorded);
    const forged = { ...first, event_id: others[0]!.event_id };
    await expectUnchanged(() => expectBroken(projection.apply([forged]), 'was projected'));
  });
});

describe('a batch stops its projection, and leaves no trace, when', () => {
  const spoilt = (index: number, change: Partial<RecordedEvent>) =>
    recorder.recorded.map((event, i) => (i === index ? { ...event, ...change } : event));

  const expectStop = (batch: () => readonly RecordedEvent[], message: string) =>
    expectUnchanged(() => expectBroken(projection.apply(batch()), message));

  it('an event is missing', () =>
    expectStop(() => recorder.recorded.toSpliced(4, 1), 'account-acme/bob at revision 2'));

  it('two events of one account changed places', async () => {
    const [a, b, c] = recorder.recorded as [RecordedEvent, RecordedEvent, RecordedEvent];
    await expectStop(() => [a, c, b], 'expected revision 1');
  });

  it('a stored byte changed', async () => {
    const { data } = recorder.recorded[1]!;
    await expectStop(
      () => spoilt(1, { data: data.replace('"quantity":3', '"quantity":2') }),
      'chain',
    );
  });

  it('an event has another id than its content', () =>
    expectStop(() => spoilt(4, { event_id: recorder.recorded[3]!.event_id }), 'event id'));

  it('an event is of a type that nobody knows', async () => {
    const [unknown] = recorder.forge(recorder.account('alice'), { type: 'CreditsDoubled' });
    await projection.apply(recorder.recorded.slice(0, -1));
    await expectStop(() => [unknown!], 'account-acme/alice at revision 3: cannot be read');
  });

  it('the store says another type than the data', () =>
    expectStop(() => spoilt(2, { type: 'UsageRejected' }), 'its data say UsageConsumed'));

  it('an event of another account lies on the stream', async () => {
    const event = JSON.parse(recorder.recorded[0]!.data) as object;
    const [foreign] = recorder.forge(recorder.account('eve', 'other'), event);
    await expectStop(() => [foreign!], 'its data are of acme/alice');
  });

  it('an event contradicts the account', async () => {
    const alice = recorder.account('alice');
    const event = JSON.parse(alice.recorded.at(-1)!.data) as object;
    await projection.apply(recorder.recorded);
    const [wrong] = recorder.forge(alice, event);
    await expectStop(() => [wrong!], 'leaves 57 credits available');
  });

  it('the tables hold what the checkpoint does not know of', async () => {
    await projection.apply(recorder.recorded.slice(0, 3));
    await pool.query(
      "insert into read.entries select revision, null, tenant_id, 'bob', chain, data from read.entries",
    );
    await expectStop(() => recorder.recorded.slice(3), 'the read models refuse it');
  });

  it('and it stays so until the checkpoint is loaded', async () => {
    await expectBroken(projection.apply(recorder.recorded.slice(1)), 'expected revision 0');
    await expectBroken(projection.apply(recorder.recorded), 'expected revision 0');
    await projection.loadCheckpoint();
    expect(await projection.apply(recorder.recorded)).toMatchObject({ events: 6 });
  });
});

describe('I11: rows and checkpoint are one transaction', () => {
  it.each(['checkpoint', 'entries', 'accounts', 'usage_totals', 'grants'])(
    'a failure at %s leaves nothing, and the same batch then counts once',
    async (table) => {
      await pool.query(`
        create function fail() returns trigger language plpgsql as
          $$ begin raise exception 'no space' using errcode = '53100'; end $$;
        create trigger fail before insert or update on read.${table}
          for each row execute function fail()`);
      await expectUnchanged(() =>
        expect(projection.apply(recorder.recorded)).rejects.toThrow('no space'),
      );
      await pool.query('drop function fail cascade');
      await projection.loadCheckpoint();
      await projection.apply(recorder.recorded);
      expect((await allRows(pool)).accounts).toEqual([
        expect.objectContaining({ account_id: 'alice', available: 77, revision: 2 }),
        expect.objectContaining({ account_id: 'bob', available: 77, revision: 2 }),
      ]);
    },
  );

  it('a projector whose connection is killed in the middle begins again where it was', async () => {
    const release = await block('lock table read.accounts');
    const applying = Promise.allSettled([projection.apply(recorder.recorded)]);
    await waiting(1);
    await pool.query(`select pg_terminate_backend(pid) ${WAITING}`);
    expect(await applying).toMatchObject([{ status: 'rejected' }]);
    await release();
    expect(await projection.loadCheckpoint()).toBeNull();
    expect(await projection.apply(recorder.recorded)).toMatchObject({ events: 6 });
  });
});

describe('two projectors', () => {
  it('meet at the checkpoint: one wins, the other learns that it lost', async () => {
    const other = createProjection(pool);
    await other.loadCheckpoint();
    const release = await block("select from read.checkpoint where name = 'ledger' for update");
    const applying = Promise.allSettled([
      projection.apply(recorder.recorded),
      other.apply(recorder.recorded.slice(0, 3)),
    ]);
    await waiting(2);
    await release();
    const results = await applying;
    const lost = results.filter((result) => result.status === 'rejected');
    expect(lost.map(({ reason }) => reason as unknown)).toEqual([expect.any(CheckpointMoved)]);
  });

  it('whoever lost goes on from the stored checkpoint, with nothing left of what it folded', async () => {
    const other = createProjection(pool);
    await other.loadCheckpoint();
    await projection.apply(recorder.recorded.slice(0, 3));
    await expect(other.apply(recorder.recorded)).rejects.toThrow(CheckpointMoved);
    expect(await other.loadCheckpoint()).toMatchObject({
      event_id: recorder.recorded[2]!.event_id,
    });
    await other.apply(recorder.recorded.slice(3));
    expect((await allRows(pool)).accounts).toEqual([
      expect.objectContaining({ account_id: 'alice', available: 77 }),
      expect.objectContaining({ account_id: 'bob', available: 77 }),
    ]);
  });
});

describe('batches that are handed over before the last one is written', () => {
  it('are written in order', async () => {
    const applied = recorder.recorded.map((event) => projection.apply([event]));
    expect(await Promise.all(applied)).toHaveLength(6);
    expect((await allRows(pool)).checkpoint).toEqual([expect.objectContaining({ events: 6 })]);
  });

  it('all fail with the first that fails', async () => {
    const [a, , c, d] = recorder.recorded;
    const applied = [[a!], [c!], [d!]].map((batch) => projection.apply(batch));
    const results = await Promise.allSettled(applied);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const result of results.slice(1)) {
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(InvariantBroken);
    }
    expect((await allRows(pool)).checkpoint).toEqual([expect.objectContaining({ events: 1 })]);
  });
});
