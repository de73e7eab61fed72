import { systemClock, type Clock } from './clock.js';
import type { HealthCheck } from './health.js';

/** A part of a worker's work that may stand still while the rest goes on, such as a partition. */
export interface Workload {
  readonly name: string;
  /** How much of it is waiting, in messages or events; 0 when there is none, NaN when nobody can know. */
  readonly lag: number;
  /** Changes whenever some of it gets done, whatever it looks like. */
  readonly position: unknown;
}

interface WatchdogOptions {
  readonly look: () => Promise<readonly Workload[]>;
  /** How long a position may stand still while work waits. */
  readonly limit_seconds: number;
  /**
   * Told at each look for how long the worst part has been stuck: how long work has been seen waiting
   * there while its position stood still. 0 for an idle or a moving worker. While no look succeeds it
   * grows from the last that did: a worker that cannot be seen is taken for stuck, whatever it does.
   */
  readonly observe: (seconds: number) => void;
  readonly clock?: Clock;
}

/**
 * A readiness check that notices a worker, or a part of it, that has work and does none of it, although
 * it reports no error: fails once it is stuck for longer than the limit.
 */
export function createWatchdog(options: WatchdogOptions): HealthCheck {
  const { look, limit_seconds, observe, clock = systemClock } = options;
  /** Since when each part with waiting work stands where it stands. */
  const seen = new Map<string, { readonly position: string; readonly at: number }>();
  /** What the last look that succeeded found; before the first, a worker that has just begun. */
  let known = { seconds: 0, at: clock() };
  let looking = false;

  async function worst(): Promise<{ name: string; seconds: number }> {
    let found = { name: '', seconds: 0 };
    for (const { name, lag, position } of await look()) {
      if (!(lag > 0)) {
        seen.delete(name);
        continue;
      }
      const now = clock();
      const where = String(position);
      if (seen.get(name)?.position !== where) seen.set(name, { position: where, at: now });
      const seconds = (now - seen.get(name)!.at) / 1_000;
      if (seconds > found.seconds) found = { name, seconds };
    }
    return found;
  }

  return async () => {
    // Said beforehand: a look that hangs ends this check, and would leave the last value for ever.
    if (looking) observe(known.seconds + (clock() - known.at) / 1_000);
    looking = true;
    const { name, seconds } = await worst();
    looking = false;
    known = { seconds, at: clock() };
    observe(seconds);
    if (seconds < limit_seconds) return undefined;
    return `${name}: work is waiting and has stood still for ${Math.floor(seconds)} s`;
  };
}
