import type {
  AccountId,
  Balance,
  Credits,
  GrantId,
  GrantKind,
  Instant,
  TenantId,
} from '#libs/contracts';

/** Bump when the fold changes: a snapshot of another version is ignored, the stream folded anew. */
export const STATE_VERSION = 1;

/** So that an account's state, and the cost of deciding on it, stays bounded. */
export const MAX_OPEN_GRANTS = 1_000;

/** A grant with something left. A spent, expired or revoked one leaves the state. */
export interface Grant {
  readonly grant_id: GrantId;
  readonly kind: GrantKind;
  readonly priority: number;
  readonly granted_at: Instant;
  readonly effective_at: Instant;
  readonly expires_at: Instant | null;
  /** `scheduled` does not count towards the balance yet. */
  state: 'active' | 'scheduled';
  remaining: Credits;
}

/** The fold of an account's stream: only what is open, so its size does not grow with its history. */
export interface Account {
  readonly tenant_id: TenantId;
  readonly account_id: AccountId;
  /** `recorded_at` of the last event: the account's time never runs backwards. Null before it. */
  now: Instant | null;
  /** Σ remaining of active grants − reserved. Never negative. */
  available: Credits;
  reserved: Credits;
  /** In burn order, scheduled grants among them. */
  grants: Grant[];
  /** When the next grant starts to count or expires; null when nothing will fall due. */
  next_due_at: Instant | null;
}

/** What `decide` sees: it reads the account and changes nothing. */
export type ReadonlyAccount = Omit<Readonly<Account>, 'grants'> & {
  readonly grants: readonly Readonly<Grant>[];
};

export const initialAccount = (tenant_id: TenantId, account_id: AccountId): Account => ({
  tenant_id,
  account_id,
  now: null,
  available: 0n,
  reserved: 0n,
  grants: [],
  next_due_at: null,
});

export const copyAccount = (account: ReadonlyAccount): Account => ({
  ...account,
  grants: account.grants.map((grant) => ({ ...grant })),
});

export const balanceOf = (account: ReadonlyAccount): Balance => ({
  available: account.available,
  reserved: account.reserved,
});

/** When a grant changes next: a scheduled one starts to count, an active one expires. */
export const dueAtOf = (grant: Readonly<Grant>): Instant | null =>
  grant.state === 'scheduled' ? grant.effective_at : grant.expires_at;
