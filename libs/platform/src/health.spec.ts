import { createHealth } from './health.js';
import { createWatchdog } from './watchdog.js';

describe('health', () => {
  it('is ok without checks, and keeps liveness and readiness apart', async () => {
    const health = createHealth();
    expect(await health.report('liveness')).toEqual({ status: 'ok', checks: {} });
    health.add('readiness', 'store', () => 'is away');
    expect((await health.report('liveness')).status).toBe('ok');
    expect(await health.report('readiness')).toEqual({
      status: 'failing',
      checks: { store: 'is away' },
    });
  });

  it('fails with one failing check and says which', async () => {
    const health = createHealth();
    health.add('readiness', 'a', () => undefined);
    const remove = health.add('readiness', 'b', async () => 'no');
    expect(await health.report('readiness')).toEqual({
      status: 'failing',
      checks: { a: 'ok', b: 'no' },
    });
    remove();
    expect((await health.report('readiness')).status).toBe('ok');
  });

  it('takes a thrown error as a failure, without its secrets (F32)', async () => {
    const health = createHealth();
    health.add('readiness', 'a', () => Promise.reject(new Error('esdb://u:hunter2@h is away')));
    health.add('readiness', 'b', () => {
      throw new Error('broken');
    });
    const { checks } = await health.report('readiness');
    expect(checks).toEqual({ a: 'esdb://[redacted]@h is away', b: 'broken' });
  });

  it('does not wait for a check that hangs', async () => {
    const health = createHealth({ timeout_ms: 5 });
    health.add('liveness', 'a', () => new Promise(() => {}));
    const { checks } = await health.report('liveness');
    expect(checks.a).toContain('no answer');
  });

  it('refuses a second check of one name', () => {
    const health = createHealth();
    health.add('liveness', 'a', () => undefined);
    expect(() => health.add('liveness', 'a', () => undefined)).toThrow('already');
  });
});

describe('the watchdog', () => {
  function worker() {
    const state = { lag: 0, position: 0, now: 0, other: { lag: 0, position: 0 } };
    const seconds: number[] = [];
    const check = createWatchdog({
      look: async () => [
        { name: 'p/0', lag: state.lag, position: state.position },
        { name: 'p/1', ...state.other },
      ],
      limit_seconds: 30,
      observe: (stuck) => seconds.push(stuck),
      clock: () => state.now * 1_000,
    });
    /** Looks at the worker at this second. */
    const at = (now: number, change: Partial<typeof state> = {}) => {
      Object.assign(state, change, { now });
      return check();
    };
    return { at, seconds };
  }

  it('does not take for stuck what nobody can know', async () => {
    const { at } = worker();
    await at(0, { lag: Number.NaN });
    expect(await at(60, { lag: Number.NaN })).toBeUndefined();
  });

  it('lets an idle worker stand still for ever', async () => {
    const { at } = worker();
    expect(await at(0)).toBeUndefined();
    expect(await at(9_999)).toBeUndefined();
  });

  it('lets a worker that moves lag as long as it likes', async () => {
    const { at } = worker();
    for (let step = 0; step < 5; step++) {
      expect(await at(step * 29, { lag: 1_000, position: step })).toBeUndefined();
    }
  });

  it('reports lag with a position that stands still', async () => {
    const { at, seconds } = worker();
    expect(await at(100, { lag: 1 })).toBeUndefined();
    expect(await at(129, { lag: 5 })).toBeUndefined();
    expect(await at(130)).toContain('stood still for 30 s');
    expect(seconds).toEqual([0, 29, 30]);
  });

  it('sees one part that stands still while another moves', async () => {
    const { at, seconds } = worker();
    for (let now = 0; now < 40; now += 10) {
      await at(now, { lag: 1, other: { lag: 9, position: now } });
    }
    expect(await at(40)).toContain('p/0: work is waiting and has stood still for 40 s');
    expect(seconds.at(-1)).toBe(40);
  });

  it('counts from when work was first seen waiting, not from the last progress', async () => {
    const { at } = worker();
    await at(0);
    expect(await at(1_000, { lag: 1 })).toBeUndefined();
  });

  it('recovers with the first step forward', async () => {
    const { at } = worker();
    await at(0, { lag: 1 });
    expect(await at(60)).toContain('stood still');
    expect(await at(61, { position: 1 })).toBeUndefined();
    expect(await at(62, { lag: 0 })).toBeUndefined();
    expect(await at(999, { lag: 1 })).toBeUndefined();
  });

  describe('that cannot look', () => {
    function blind(failure: () => Promise<never>) {
      const state = { now: 100, failing: false, lag: 0 };
      const seconds: number[] = [];
      const check = createWatchdog({
        look: async () =>
          state.failing ? failure() : [{ name: 'p/0', lag: state.lag, position: 0 }],
        limit_seconds: 30,
        observe: (stuck) => seconds.push(stuck),
        clock: () => state.now * 1_000,
      });
      const health = createHealth({ timeout_ms: 20 });
      health.add('readiness', 'worker', check);
      /** What readiness says of the worker at this second, and what the metric then holds. */
      const at = async (now: number, change: Partial<typeof state> = {}) => {
        Object.assign(state, change, { now });
        const report = await health.report('readiness');
        return [report.checks['worker'], seconds.at(-1)];
      };
      return { at };
    }

    it.each([
      ['fails', () => Promise.reject(new Error('no broker'))],
      ['hangs', () => new Promise<never>(() => {})],
    ])('shows a worker that is stuck since the last look, when it %s', async (_how, failure) => {
      const { at } = blind(failure);
      expect(await at(100)).toEqual(['ok', 0]);
      const [said] = await at(110, { failing: true });
      expect(said).toMatch(/no broker|no answer/);
      expect(await at(120)).toEqual([said, 20]);
      expect(await at(150)).toEqual([said, 50]);
      expect(await at(160, { failing: false })).toEqual(['ok', 0]);
    });

    it('adds to what was known before', async () => {
      const { at } = blind(() => Promise.reject(new Error('no broker')));
      await at(100, { lag: 1 });
      expect(await at(110)).toEqual(['ok', 10]);
      await at(120, { failing: true });
      expect(await at(130)).toEqual([expect.stringContaining('no broker'), 30]);
    });

    it('counts from the beginning when it never could', async () => {
      const { at } = blind(() => Promise.reject(new Error('no broker')));
      await at(110, { failing: true });
      expect(await at(120)).toEqual([expect.stringContaining('no broker'), 20]);
    });
  });
});
