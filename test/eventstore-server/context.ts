import type { Users } from './access.js';
import type { FaultSource } from './faults.js';
import type { Store } from './store.js';

/** What the calls of one server share. */
export interface ServerContext {
  readonly store: Store;
  readonly faults: FaultSource;
  /** Undefined: an insecure server, where everybody may do everything. */
  readonly users: Users | undefined;
  /** Breaks the connection to this peer ("host:port"). */
  drop(peer: string): void;
}

/** Most bytes of data in one append. */
export const MAX_APPEND_BYTES = 1_048_576;

/** Most bytes in one message. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
