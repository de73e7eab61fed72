import { until } from '../../contract-bench.js';
import type { Leaders, LogEnds } from './leaders.js';
import { startTail } from './tail.js';

/** A topic of one partition, in whose log nothing comes. */
function leadersOf(state: { leader: number | undefined; end: number }) {
  const fetched: string[] = [];
  let recoveries = 0;
  const broker = {
    async fetch({ topics }: { topics: { partitions: { fetchOffset: string }[] }[] }) {
      fetched.push(topics[0]!.partitions[0]!.fetchOffset);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { responses: [{ partitions: [] }] };
    },
  };
  const ends = (): LogEnds[] => [{ partition: 0, begin: 0, end: state.end }];
  const leaders = {
    of: () => state.leader,
    broker: async () => broker,
    recover: async () => void recoveries++,
    repeat: (work: () => Promise<unknown>) => work(),
    logEnds: async () => ends(),
    close: async () => {},
  } as unknown as Leaders;
  return { leaders, fetched, recoveries: () => recoveries };
}

const settings = {
  topic: 't',
  handler: () => {},
  on_error: () => {},
  retry: { min_ms: 1, max_ms: 1 },
};

it('client hazard 18: goes on when the log has a leader again, although all had none', async () => {
  const state: { leader: number | undefined; end: number } = { leader: 1, end: 7 };
  const { leaders, fetched, recoveries } = leadersOf(state);
  const tail = await startTail(leaders, settings);
  await until(() => fetched.length > 1);
  state.leader = undefined;
  await until(() => recoveries() > 0); // which asks who leads
  const before = fetched.length;
  state.leader = 2;
  await until(() => fetched.length > before);
  expect(new Set(fetched)).toEqual(new Set(['7']));
  await tail.close();
});

it('client hazard 18: begins at the end that a log without a leader has when it gets one', async () => {
  const state: { leader: number | undefined; end: number } = { leader: undefined, end: NaN };
  const { leaders, fetched, recoveries } = leadersOf(state);
  const tail = await startTail(leaders, settings);
  await until(() => recoveries() > 0);
  expect(fetched).toEqual([]);
  Object.assign(state, { leader: 1, end: 9 });
  await until(() => fetched.length > 0);
  expect(fetched[0]).toBe('9');
  await tail.close();
});
