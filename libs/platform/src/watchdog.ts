import { systemClock, type Clock } from './clock.js';
import type { HealthCheck } from './health.js';

export interface WatchdogOptions {
  /** How much work is waiting, in messages or events; 0 when there is none. */
  readonly lag: () => number | Promise<number>;
  /** Changes whenever work gets done, whatever it looks like. */
  readonly position: () => unknown;
  /** How long the position may stand still while work waits. */
  readonly limit_seconds: number;
  readonly clock?: Clock;
}

export interface Watchdog {
  /**
   * Looks at the worker and returns for how long it has been stuck: how long work has been seen
   * waiting while the position stood still. 0 for an idle or a moving worker.
   */
  stuckForSeconds(): Promise<number>;
  /** A readiness check: fails once the worker is stuck for longer than the limit. */
  readonly check: HealthCheck;
}

/** Notices a worker that has work and does none of it, although it reports no error. */
export function createWatchdog(options: WatchdogOptions): Watchdog {
  const { lag, position, limit_seconds, clock = systemClock } = options;
  let seen: { readonly position: string; readonly at: number } | undefined;

  async function stuckForSeconds(): Promise<number> {
    const waiting = await lag();
    if (waiting <= 0) {
      seen = undefined;
      return 0;
    }
    const now = clock();
    const where = String(await position());
    if (seen?.position !== where) seen = { position: where, at: now };
    return (now - seen.at) / 1_000;
  }

  return {
    stuckForSeconds,
    async check() {
      const seconds = await stuckForSeconds();
      if (seconds < limit_seconds) return undefined;
      return `work is waiting and the position has stood still for ${Math.floor(seconds)} s`;
    },
  };
}
