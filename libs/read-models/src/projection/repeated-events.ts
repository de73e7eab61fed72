import type { Pool } from 'pg';
import { accountKey, accountKeyOfStream, eventIdOf, InvariantBroken } from '#libs/contracts';
import { int8Array, textArray } from '#libs/platform';
import { schemaName } from '../schema.js';
import type { StoredEvent } from './projected-event.js';
import type { Rows } from './rows.js';

/**
 * An event that comes again must be the one that was projected: throws InvariantBroken when another
 * one stands at its place. Rare (a redelivery), so it may cost a query.
 */
export async function requireRepeated(pool: Pool, schema: string, rows: Rows): Promise<void> {
  if (rows.repeated.length === 0) return;
  const ids = new Map<string, string>();
  for (const { tenant_id, account_id, revision, chain } of rows.entries) {
    const id = eventIdOf(chain);
    ids.set(placeOf(accountKey(tenant_id, account_id), revision), id);
  }
  const elsewhere = rows.repeated.filter((stored) => !ids.has(placeOfEvent(stored)));
  for (const row of await loadChains(pool, schema, elsewhere)) {
    ids.set(placeOf(accountKey(row.tenant_id, row.account_id), row.revision), eventIdOf(row.chain));
  }
  for (const stored of rows.repeated) {
    const id = ids.get(placeOfEvent(stored));
    if (id === stored.event_id) continue;
    throw new InvariantBroken(
      `${stored.stream} at revision ${stored.revision}: event ${stored.event_id} comes, ` +
        `${id ?? 'nothing'} was projected`,
    );
  }
}

const placeOf = (key: string, revision: number | bigint) => `${key} ${revision}`;
const placeOfEvent = ({ stream, revision }: StoredEvent) =>
  placeOf(accountKeyOfStream(stream), revision);

interface ChainRow {
  tenant_id: string;
  account_id: string;
  revision: bigint;
  chain: string;
}

async function loadChains(
  pool: Pool,
  schema: string,
  events: readonly StoredEvent[],
): Promise<ChainRow[]> {
  const { rows } = await pool.query<ChainRow>(
    `select e.tenant_id, e.account_id, e.revision, encode(e.chain, 'hex') as chain
     from unnest($1::text[], $2::int8[]) q(key, revision)
     cross join lateral (
       select * from ${schemaName(schema)}.entries x
       where x.tenant_id = split_part(q.key, '/', 1) and x.account_id = split_part(q.key, '/', 2)
         and x.revision = q.revision limit 1) e`,
    [
      textArray(events.map((stored) => accountKeyOfStream(stored.stream))),
      int8Array(events.map((stored) => stored.revision)),
    ],
  );
  return rows;
}
