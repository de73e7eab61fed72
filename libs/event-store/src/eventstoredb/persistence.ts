import { backoffMs } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { InvariantBroken } from '#libs/contracts';

export interface Persistence {
  /** How often to try; Infinity for what must not end. */
  readonly attempts: number;
  readonly signal?: AbortSignal | undefined;
  /** Told of each failure, and how many there were in a row. */
  readonly on_failure: (error: unknown, attempt: number) => void;
}

const RETRY = { min_ms: 50, max_ms: 2_000 };

/** What no repetition fixes. */
const FINAL: readonly unknown[] = [
  status.INVALID_ARGUMENT,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
  status.FAILED_PRECONDITION,
];

/** Repeats a read that failed, with backoff. Rejects with its last error, or as the signal aborts. */
export async function persist<T>(
  { attempts, signal, on_failure }: Persistence,
  read: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof InvariantBroken || FINAL.includes(codeOf(error))) throw error;
      on_failure(error, attempt);
      if (attempt >= attempts) throw error;
      const pause = sleep(backoffMs(RETRY, attempt), undefined, signal && { signal });
      await pause.catch(() => signal?.throwIfAborted()); // its own error does not say why
    }
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;
