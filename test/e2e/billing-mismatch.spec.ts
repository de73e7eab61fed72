import type { Engines } from '#libs/engines';
import { charge, eventually } from './asking.js';
import { describeSystem, expectSound } from './suite.js';
import { GRANT, traceOver, type Summary } from './trace.js';

const ACCOUNTS = 500;
const PERIOD = '2023-11';
const IMPORT_MS = 180_000;

interface Account {
  readonly account_id: string;
  readonly available: string;
  readonly revision: number;
}
interface Mismatch {
  readonly check: string;
  readonly left: string;
  readonly right: string | null;
}

// The whole trace where its path is given; the bundled sample of it elsewhere.
const trace = traceOver(ACCOUNTS, process.env['TRACE_CSV']);

describeSystem('a billing mismatch', (system) => {
  async function accounts(): Promise<Account[]> {
    const listed: Account[] = [];
    for (let page: string | null = ''; page !== null;) {
      const { body } = await system().call('GET', `/v1/accounts?limit=200${page}`);
      listed.push(...(body['items'] as Account[]));
      const cursor = body['next_cursor'] as string | null;
      page = cursor === null ? null : `&cursor=${cursor}`;
    }
    return listed;
  }

  /** What every account's draft for the period says was consumed. */
  async function invoiced(): Promise<Map<string, bigint>> {
    const drafts = new Map<string, bigint>();
    const open = [...trace.by_account.keys()];
    const one = async () => {
      for (let account = open.pop(); account !== undefined; account = open.pop()) {
        const path = `/v1/accounts/${account}/invoices/${PERIOD}`;
        const { body } = await system().call('GET', path);
        const lines = body['lines'] as { credits: string }[];
        const sum = lines.reduce((total, { credits }) => total + BigInt(credits), 0n);
        expect(body).toMatchObject({ status: 'draft', totals: { consumed: sum.toString() } });
        drafts.set(account, sum);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    return drafts;
  }

  const planted = async (plant: (pool: Engines['pool']) => Promise<unknown>): Promise<void> => {
    const engines = await system().openEngines();
    try {
      await plant(engines.pool);
    } finally {
      await engines.close();
    }
  };

  it(
    'every row of the trace is charged exactly what the price list says',
    async () => {
      const run = await system().cli(...trace.arguments);
      expect({ ending: run.ending, stderr: run.stderr }).toEqual({ ending: 0, stderr: '' });
      expect(run.lines<Summary>('summary')).toMatchObject([
        {
          rows: trace.rows,
          bad_rows: 0,
          decided: trace.rows,
          consumed: trace.rows,
          replayed: 0,
          credits: trace.credits.toString(),
        },
      ]);
    },
    IMPORT_MS,
  );

  it('every balance, every invoice draft and the totals are the same number', async () => {
    const events = trace.rows + ACCOUNTS;
    const listed = await eventually('everything is projected', async () => {
      const found = await accounts();
      return found.reduce((sum, { revision }) => sum + revision + 1, 0) === events && found;
    });
    const spent = listed.map(
      ({ account_id, available }) => [account_id, GRANT - BigInt(available)] as const,
    );
    expect(new Map(spent)).toEqual(trace.by_account);
    expect(await invoiced()).toEqual(trace.by_account);
    const { body } = await system().call('GET', '/v1/usage/summary');
    expect(body['items']).toMatchObject([{ credits: trace.credits.toString() }]);
  });

  it(
    'the same file again charges nothing',
    async () => {
      const run = await system().cli(...trace.arguments);
      expect(run.ending).toBe(0);
      expect(run.lines<Summary>('summary')).toMatchObject([
        {
          decided: trace.rows,
          consumed: trace.rows,
          replayed: trace.rows,
          credits: trace.credits.toString(),
          credits_replayed: trace.credits.toString(),
        },
      ]);
      expect(await invoiced()).toEqual(trace.by_account);
    },
    IMPORT_MS,
  );

  it('rebuilt from the streams, the read models are the same byte for byte', async () => {
    const run = await system().cli('rebuild', '--json');
    expect({ ending: run.ending, stderr: run.stderr }).toEqual({ ending: 0, stderr: '' });
    const [{ live, next } = {}] = run.lines<Record<string, object>>('digests');
    expect(next).toEqual(live);
    expect(run.lines('rebuilt')).toMatchObject([{ replaced: true, differing: [] }]);
    // The running ledger goes on with the new ones.
    const usage = { account_id: 'acct-0001', request_id: 'after', operation: 'text.generation' };
    const { body } = await charge(system(), usage);
    const path = `/v1/accounts/acct-0001/requests/after?at_least=${String(body['revision'])}`;
    expect(await system().call('GET', path)).toMatchObject({ status: 200 });
  });

  it('verify names each wrong row, and a rebuild mends them', async () => {
    await planted(async (pool) => {
      await pool.query(
        `update read.usage_totals set credits = credits + 1
         where account_id = 'acct-0007' and operation = 'llm.output_tokens'`,
      );
      await pool.query(`update read.accounts set available = 0 where account_id = 'acct-0008'`);
      await pool.query(`delete from read.entries where account_id = 'acct-0009' and revision = 1`);
    });
    const run = await system().cli('verify', '--json');
    expect(run.ending).toBe(1);
    const named = run.lines<Mismatch>('mismatch').map(({ check, left, right }) => {
      const [account = ''] = /acct-\d+/.exec(`${left} ${right}`) ?? [];
      return `${check} ${account}`.trimEnd();
    });
    const expected = [
      'usage_total_differs acct-0007',
      'invoice_differs acct-0007',
      'account_differs acct-0008',
      'entry_missing acct-0009',
      // By its coordinate on the bus: nothing says any more how it was decided.
      'request_lost',
    ];
    expect(new Set(named)).toEqual(new Set(expected));

    const refused = await system().cli('rebuild', '--json');
    expect(refused.ending).toBe(1);
    expect(refused.lines('rebuilt')).toMatchObject([
      { replaced: false, differing: expect.arrayContaining(['accounts', 'entries']) },
    ]);
    const mended = await system().cli('rebuild', '--accept-differences');
    expect(mended.ending).toBe(0);
  });

  it('bus, streams, read models and invoices agree', () => expectSound(system()));
});
