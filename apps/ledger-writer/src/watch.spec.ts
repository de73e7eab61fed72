import { TOPICS } from '#libs/contracts';
import { memoryEventStore } from '#libs/event-store';
import { createHealth, createMetrics } from '#libs/platform';
import { ReadSideWaits } from './read-side-wait.js';
import { watchWriter } from './watch.js';

/** A group of which this writer holds `held`, and the position of each partition. */
function watched() {
  let now_ms = 0;
  const group = { held: [0], committed: [0, 0], end: 10, is_reached: true };
  const health = createHealth();
  const metrics = createMetrics();
  watchWriter({
    bus: {
      async positions() {
        if (!group.is_reached) throw new Error('no broker answers');
        return group.committed.map((committed, partition) => {
          return { topic: TOPICS.requests, partition, begin: 0, end: group.end, committed };
        });
      },
    },
    store: memoryEventStore(),
    assigned: () => group.held,
    read_side_waits: new ReadSideWaits(),
    health,
    metrics,
    clock: () => now_ms,
  });
  return {
    group,
    /** What readiness says of the partitions this many seconds later. */
    async after(seconds: number): Promise<string | undefined> {
      now_ms += seconds * 1_000;
      return (await health.report('readiness')).checks['ledger_writer'];
    },
    async measured(): Promise<{ lag: number; stuck: number }> {
      const of = async (metric: typeof metrics.lag) => (await metric.get()).values[0]!.value;
      return { lag: await of(metrics.lag), stuck: await of(metrics.stuck_for_seconds) };
    },
  };
}

describe('readiness of a writer', () => {
  it('fails when work stands still on a partition that it holds', async () => {
    const { after } = watched();
    expect(await after(0)).toBe('ok');
    expect(await after(29)).toBe('ok');
    expect(await after(2)).toMatch(/^ledger.requests\/0: .*31 s$/);
  });

  it('is not the matter of partitions that others hold, but the metrics are', async () => {
    const { group, after, measured } = watched();
    await after(0);
    group.committed = [10, 0];
    expect(await after(300)).toBe('ok');
    expect(await measured()).toEqual({ lag: 10, stuck: 300 });
  });

  it('gives a partition that was just assigned all the time there is', async () => {
    const { group, after } = watched();
    group.held = [0, 1];
    group.committed = [10, 0];
    expect(await after(0)).toBe('ok');
    group.held = [0];
    expect(await after(20)).toBe('ok');
    group.held = [0, 1];
    expect(await after(20)).toBe('ok');
    expect(await after(20)).toBe('ok');
    expect(await after(20)).toMatch(/^ledger.requests\/1: .*40 s$/);
  });

  it('fails while the positions cannot be asked for, and the alarm counts on', async () => {
    const { group, after, measured } = watched();
    group.committed = [10, 10];
    expect(await after(0)).toBe('ok');
    group.is_reached = false;
    expect(await after(20)).toBe('no broker answers');
    expect(await after(20)).toBe('no broker answers');
    expect(await measured()).toEqual({ lag: Number.NaN, stuck: 40 });
    group.is_reached = true;
    expect(await after(5)).toBe('ok');
    expect(await measured()).toEqual({ lag: 0, stuck: 0 });
  });

  it('of one that holds nothing is that of the whole group: nobody else may be there', async () => {
    const { group, after } = watched();
    group.held = [];
    group.committed = [10, 0];
    expect(await after(0)).toBe('ok');
    expect(await after(31)).toMatch(/^ledger.requests\/1/);
    group.committed = [10, 1];
    expect(await after(1)).toBe('ok');
  });
});
