import type { CreditsGranted, GrantRejected, Instant } from '#libs/contracts';
import type { StoredEvent } from './projected-event.js';
import type { RejectionTotal } from './rejection-totals.js';
import type { UsageTotal } from './usage-totals.js';

/** What one batch writes, all of it in one statement. */
export interface Rows {
  readonly entries: {
    readonly tenant_id: string;
    readonly account_id: string;
    readonly revision: number;
    readonly key: string | null;
    readonly chain: string;
    readonly data: string;
  }[];
  readonly accounts: {
    readonly tenant_id: string;
    readonly account_id: string;
    readonly revision: number;
    readonly available: bigint;
    readonly reserved: bigint;
    readonly chain: string;
    readonly state: string;
    readonly next_due_at: Instant | null;
  }[];
  readonly usage_totals: Map<string, UsageTotal>;
  readonly grants: (CreditsGranted & { readonly revision: number })[];
  readonly rejection_totals: Map<string, RejectionTotal>;
  readonly rejected_grants: (GrantRejected & { readonly revision: number })[];
  readonly snapshots: {
    readonly tenant_id: string;
    readonly account_id: string;
    readonly revision: number;
    readonly state: string;
  }[];
  /** Events that were projected before. */
  readonly repeated: StoredEvent[];
  /** The last event that is new; undefined when none is. */
  last: StoredEvent | undefined;
  recorded_at: Instant | undefined;
}

export const newRows = (): Rows => ({
  entries: [],
  accounts: [],
  usage_totals: new Map(),
  grants: [],
  rejection_totals: new Map(),
  rejected_grants: [],
  snapshots: [],
  repeated: [],
  last: undefined,
  recorded_at: undefined,
});
