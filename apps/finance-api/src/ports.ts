import type { EventReader } from '#libs/event-store';
import type { Clock } from '#libs/platform';
import type { Pool } from 'pg';

export const FINANCE_PORTS = Symbol('finance ports');

/** What the finance API reads from. */
export interface FinancePorts {
  readonly pool: Pool;
  /** For price books: their streams are short and hold every version. */
  readonly store: EventReader;
  readonly clock: Clock;
}
