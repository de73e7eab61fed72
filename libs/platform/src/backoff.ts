export interface Backoff {
  readonly min_ms: number;
  readonly max_ms: number;
}

/** Milliseconds before the attempt after `attempt` (1, 2, …): doubling, with up to half of it left to chance. */
export function backoffMs({ min_ms, max_ms }: Backoff, attempt: number): number {
  const full = Math.min(max_ms, min_ms * 2 ** Math.min(attempt - 1, 30));
  return full * (1 - Math.random() / 2);
}
