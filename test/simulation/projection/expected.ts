import { hash } from 'node:crypto';
import {
  accountKeyOfStream,
  decodeAccountEvent,
  idsOfKey,
  nextChain,
  GENESIS,
} from '#libs/contracts';
import type { RecordedEvent } from '#libs/event-store';
import { encodeAccount, evolve, initialAccount, STATE_VERSION } from '#libs/ledger';
import type { ReadTable } from '#libs/read-models';
import { rejectedGrants, rejectionTotals, type Placed } from './expected-rejections.js';

type Row = Readonly<Record<string, unknown>>;
export type Rows = Readonly<Record<ReadTable, readonly Row[]>>;

/** The parts of an event that the tables are made of, as they stand in its bytes. */
type Written = Placed['event'] & {
  readonly price_book_version: string;
  readonly lines: readonly { operation: string; quantity: number; credits: string }[];
  readonly grant_id: string;
  readonly credits: string;
  readonly state: string;
};

/** What an event adds to the balance. What expires was active: it is started before, if at all. */
const SIGNS: Readonly<Record<string, 1n | -1n>> = {
  CreditsGranted: 1n,
  GrantActivated: 1n,
  UsageConsumed: -1n,
  CreditsExpired: -1n,
};

/**
 * The read models of these events, which are the first of the global order, written from what the
 * tables say they hold: it shares no code with the projection. Only the account's state, which is the
 * domain's, is folded by the domain.
 */
export function expectedRows(events: readonly RecordedEvent[]): Rows {
  const entries: Row[] = [];
  const grants: Row[] = [];
  const placed: Placed[] = [];
  const accounts = new Map<string, Row>();
  const totals = new Map<string, Row & { lines: bigint; quantity: bigint; credits: bigint }>();
  for (const stream of new Set(events.map((event) => event.stream))) {
    const [tenant_id, account_id] = idsOfKey(accountKeyOfStream(stream));
    const ids = { tenant_id, account_id };
    const account = initialAccount(tenant_id, account_id);
    let { chain } = GENESIS;
    let available = 0n;
    for (const { data, revision: at } of events.filter((event) => event.stream === stream)) {
      const revision = BigInt(at);
      const event = JSON.parse(data) as Written;
      placed.push({ ids, revision, event });
      chain = nextChain(chain, data);
      evolve(account, decodeAccountEvent(data));
      if (event.state !== 'scheduled')
        available += (SIGNS[event.type] ?? 0n) * BigInt(event.credits ?? 0);
      entries.push({ ...ids, revision, key: keyOf(ids, event.request_id), chain, data });
      if (event.type === 'CreditsGranted') {
        const { period, grant_id, kind, credits, paid, recorded_at } = event;
        grants.push({
          ...ids,
          period,
          revision,
          grant_id,
          kind,
          credits: BigInt(credits),
          paid_amount_minor: paid === undefined ? null : BigInt(paid.amount_minor),
          paid_currency: paid?.currency ?? null,
          recorded_at,
        });
      }
      if (event.type === 'UsageConsumed') {
        const { period, price_book_version } = event;
        const day = event.occurred_at.slice(0, 10);
        for (const { operation, quantity, credits } of event.lines) {
          const which = { ...ids, period, day, operation, price_book_version };
          const name = JSON.stringify(which);
          const before = totals.get(name) ?? { lines: 0n, quantity: 0n, credits: 0n };
          totals.set(name, {
            ...which,
            lines: before.lines + 1n,
            quantity: before.quantity + BigInt(quantity),
            credits: before.credits + BigInt(credits),
          });
        }
      }
      accounts.set(stream, {
        ...ids,
        revision,
        available,
        reserved: 0n,
        chain,
        state_version: STATE_VERSION,
        state: encodeAccount(account),
        next_due_at: account.next_due_at,
      });
    }
  }
  const last = events.at(-1);
  return {
    accounts: [...accounts.values()],
    entries,
    grants,
    rejected_grants: rejectedGrants(placed),
    rejection_totals: rejectionTotals(placed),
    snapshots: [],
    usage_totals: [...totals.values()],
    checkpoint: [
      {
        name: 'ledger',
        position: last?.position ?? null,
        event_id: last?.event_id ?? null,
        recorded_at: last === undefined ? null : (JSON.parse(last.data) as Written).recorded_at,
        events: BigInt(events.length),
      },
    ],
  };
}

/** First 16 bytes of SHA-256(tenant NUL account NUL request id), as a uuid is printed. */
function keyOf(ids: { tenant_id: string; account_id: string }, request_id?: string) {
  if (request_id === undefined) return null;
  const digest = hash('sha256', [ids.tenant_id, ids.account_id, request_id].join('\0'), 'hex');
  return digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
