import type { Pool } from 'pg';
import {
  decisionOf,
  InvariantBroken,
  type Balance,
  type Decision,
  type DecisionEvent,
} from '#libs/contracts';
import { MAX_OPEN_GRANTS } from '#libs/ledger';
import { entryKey } from '../entry-key.js';
import { READ_SCHEMA, schemaName } from '../schema.js';
import { ENTRY_COLUMNS, entryOf, type Entry, type EntryRow } from './entry.js';

/** Why a request was charged, granted or rejected. The event holds the arithmetic, line by line. */
export interface Explanation {
  readonly entry: Entry;
  /** The original answer. */
  readonly decision: Decision;
  /** What had fallen due and was recorded on the occasion of this request, oldest first. */
  readonly recorded_with: readonly Entry[];
  /** Right before the decision, after what had fallen due. */
  readonly balance_before: Balance;
}

/** Undefined when the account has no decision for this request id. */
export async function explain(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  request_id: string,
  schema: string = READ_SCHEMA,
): Promise<Explanation | undefined> {
  const { rows } = await pool.query<EntryRow>(
    `select ${ENTRY_COLUMNS} from ${schemaName(schema)}.entries e
     where e.key = $1::uuid and e.tenant_id = $2 and e.account_id = $3`,
    [entryKey(tenant_id, account_id, request_id), tenant_id, account_id],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const entry = entryOf(row);
  const { event } = entry;
  if (!('request_id' in event) || event.request_id !== request_id) {
    throw new InvariantBroken(
      `the entry of ${tenant_id}/${account_id}, request ${request_id}, is at ${entry.revision}`,
    );
  }
  const earlier = await entriesBefore(pool, schema, event, entry.revision);
  const others = earlier.findIndex((other) => !isCausedBy(other, request_id));
  return {
    entry,
    decision: decisionOf(event, entry.revision),
    recorded_with: earlier.slice(0, others === -1 ? earlier.length : others).reverse(),
    balance_before: earlier[0]?.event.balance_after ?? { available: 0n, reserved: 0n },
  };
}

const isCausedBy = ({ event }: Entry, request_id: string): boolean =>
  'caused_by' in event && event.caused_by === request_id;

/** A grant may start to count and expire: so many events at most fall due before one decision. */
const MAX_DUE = 2 * MAX_OPEN_GRANTS;

/** Newest first: the one before, and when that fell due with the request, all that may have. */
async function entriesBefore(
  pool: Pool,
  schema: string,
  { tenant_id, account_id, request_id }: DecisionEvent,
  revision: number,
): Promise<Entry[]> {
  const last = async (limit: number): Promise<Entry[]> => {
    const { rows } = await pool.query<EntryRow>(
      `select ${ENTRY_COLUMNS} from ${schemaName(schema)}.entries e
       where e.tenant_id = $1 and e.account_id = $2 and e.revision < $3 and e.revision >= $4
       order by e.revision desc`,
      [tenant_id, account_id, revision, revision - limit],
    );
    return rows.map(entryOf);
  };
  const [before] = await last(1);
  if (before === undefined) return [];
  return isCausedBy(before, request_id) ? last(MAX_DUE + 1) : [before];
}
