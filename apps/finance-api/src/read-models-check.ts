import type { HealthCheck } from '#libs/platform';
import { projectedUpTo } from '#libs/read-models';
import type { Pool } from 'pg';

/**
 * Fails while the read models cannot be read. The event store is no part of it: only the questions about
 * price books need it, and they say so themselves.
 */
export function readModelsCheck(pool: Pool): HealthCheck {
  let asking: Promise<undefined> | undefined;
  /** One that waits for its answer is shared: however many ask, a frozen Postgres holds one connection. */
  return () => {
    asking ??= projectedUpTo(pool)
      .then(() => undefined)
      .finally(() => (asking = undefined));
    return asking;
  };
}
