import { setTimeout as delay } from 'node:timers/promises';

/** Waits that long; rejects when the signal aborts. Tests pass one that does not wait. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export const pause: Pause = (ms, signal) => delay(ms, undefined, { signal });
