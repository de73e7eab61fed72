import { instantOf, TOPICS } from '#libs/contracts';
import type { OutgoingMessage } from '#libs/message-bus';
import type { DueAccount, DueRange } from '#libs/read-models';
import { Sweeper, type SweepLimits } from './sweep.js';

const NOON_MS = Date.parse('2026-01-31T12:00:00.000Z');
const LIMITS: SweepLimits = { per_sweep: 10_000, remembered: 100_000, beyond: 500 };

const orderOf = ({ next_due_at, tenant_id, account_id }: DueAccount): string =>
  `${next_due_at} ${tenant_id} ${account_id}`;

/** So many accounts of a tenant, overdue since that many minutes before noon. */
const overdue = (tenant_id: string, accounts: number, minutes: number): DueAccount[] =>
  Array.from({ length: accounts }, (_, n) => ({
    tenant_id,
    account_id: String(n).padStart(6, '0'),
    next_due_at: instantOf(NOON_MS - minutes * 60_000),
  }));

/** A sweeper over these accounts; none makes progress unless the test takes it away. */
function sweeping(accounts: readonly DueAccount[], limits = LIMITS) {
  const state = { accounts, now_ms: 0, is_bus_there: true, largest_page: 0 };
  let sent: OutgoingMessage[] = [];
  const sweeper = new Sweeper(
    {
      bus: {
        async publish(topic, messages) {
          expect(topic).toBe(TOPICS.requests);
          if (!state.is_bus_there) throw new Error('no broker answers');
          sent.push(...messages);
        },
      },
      async dueAccounts({ before, after, limit }: DueRange) {
        state.largest_page = Math.max(state.largest_page, limit);
        return state.accounts
          .filter(({ next_due_at }) => next_due_at <= before)
          .filter((one) => after === undefined || orderOf(one) > orderOf(after))
          .slice(0, limit);
      },
      clock: () => NOON_MS + state.now_ms,
      elapsed: () => state.now_ms,
    },
    limits,
  );
  /** Sweeps every 10 s; how many were asked for, by tenant. */
  async function sweeps(count: number): Promise<Record<string, number>> {
    sent = [];
    for (let n = 0; n < count; n += 1) {
      await sweeper.sweep();
      state.now_ms += 10_000;
    }
    const asked: Record<string, number> = {};
    for (const { key } of sent) {
      const [tenant = ''] = key!.split('/');
      asked[tenant] = (asked[tenant] ?? 0) + 1;
    }
    return asked;
  }
  return { state, sweeps, keys: () => sent.map(({ key }) => key) };
}

it('passes those by who make no progress, and asks for those behind them', async () => {
  const { sweeps } = sweeping([...overdue('t', 10_000, 60), ...overdue('other', 1, 59)]);
  expect(await sweeps(1)).toEqual({ t: 10_000 });
  expect(await sweeps(2)).toEqual({ other: 1 });
});

it('asks ever more rarely for an account that makes no progress, at most once an hour', async () => {
  const { sweeps } = sweeping(overdue('t', 1, 60));
  const by_hour: number[] = [];
  for (let hour = 0; hour < 24; hour += 1) by_hour.push((await sweeps(360))['t'] ?? 0);
  expect(by_hour[0]).toBe(6); // after 0, 1, 3, 7, 15, 31 minutes
  expect(Math.max(...by_hour.slice(1))).toBe(1);
});

it('asks at once for what falls due next on an account, and for one that fell due again', async () => {
  const accounts = overdue('t', 1, 60);
  const { state, sweeps } = sweeping(accounts);
  await sweeps(3);
  state.accounts = overdue('t', 1, 30);
  expect(await sweeps(1)).toEqual({ t: 1 });
  state.accounts = [];
  await sweeps(1);
  state.accounts = accounts;
  expect(await sweeps(1)).toEqual({ t: 1 });
});

it('works through many that fell due at once and do make progress', async () => {
  const { state, sweeps, keys } = sweeping(overdue('t', 2_500, 0), { ...LIMITS, per_sweep: 1_000 });
  const asked = new Set<string | null>();
  for (let n = 0; n < 3; n += 1) {
    await sweeps(1);
    for (const key of keys()) asked.add(key);
    state.accounts = state.accounts.filter((one) => !asked.has(`t/${one.account_id}`));
  }
  expect(asked.size).toBe(2_500);
  expect(state.accounts).toEqual([]);
});

it('goes on to wait longer for those that it did not get to', async () => {
  const limits = { ...LIMITS, per_sweep: 10 };
  const { sweeps } = sweeping(overdue('t', 30, 60), limits);
  expect(await sweeps(6)).toEqual({ t: 30 });
  expect(await sweeps(12)).toEqual({ t: 30 }); // 1 min later, ten at a time
  expect(await sweeps(9)).toEqual({ t: 30 }); // 2 min after that
});

it('asks again at once for what could not be published', async () => {
  const { state, sweeps } = sweeping(overdue('t', 3, 60));
  state.is_bus_there = false;
  await expect(sweeps(1)).rejects.toThrow('no broker answers');
  state.is_bus_there = true;
  expect(await sweeps(1)).toEqual({ t: 3 });
});

it('remembers no more than so many; those beyond get their turn, a few at a time', async () => {
  const limits = { per_sweep: 10, remembered: 20, beyond: 3 };
  const { state, sweeps, keys } = sweeping(overdue('t', 30, 60), limits);
  expect(await sweeps(1)).toEqual({ t: 10 });
  const asked: (string | null)[] = [];
  for (const expected of [13, 3, 3, 1]) {
    expect(await sweeps(1)).toEqual({ t: expected });
    asked.push(...keys());
  }
  expect(asked.splice(0, 10)).toHaveLength(10);
  const beyond = overdue('t', 30, 60).slice(20);
  expect(asked).toEqual(beyond.map(({ account_id }) => `t/${account_id}`));
  expect(state.largest_page).toBe(10);
});
