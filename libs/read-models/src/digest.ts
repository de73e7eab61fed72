import type { ClientBase, Pool } from 'pg';
import { inOneView } from './one-view.js';
import { READ_SCHEMA, READ_TABLES, schemaName, type ReadTable } from './schema.js';

interface TableDigest {
  readonly rows: number;
  /**
   * Two sums over all rows of 64-bit hashes of the whole row. The order of the rows does not matter;
   * a row more, less or twice, and any other value in any column gives another digest.
   */
  readonly digest: string;
}
export type Digest = Readonly<Record<ReadTable, TableDigest>>;

/** What a schema holds, table by table, at one moment. About 2 s for a million rows. */
export const digest = (pool: Pool, schema: string = READ_SCHEMA): Promise<Digest> =>
  inOneView(pool, (client) => digestIn(client, schema));

/** The same as the client's transaction sees it. */
export async function digestIn(client: ClientBase, schema: string): Promise<Digest> {
  const digests: Partial<Record<ReadTable, TableDigest>> = {};
  for (const table of READ_TABLES) {
    const { rows } = await client.query<{ rows: bigint; first: bigint; second: bigint }>(
      `select count(*) as rows,
              coalesce(sum(hash_record_extended(t, 0)::numeric), 0) as first,
              coalesce(sum(hash_record_extended(t, 1)::numeric), 0) as second
       from ${schemaName(schema)}.${table} t`,
    );
    const { rows: count, first, second } = rows[0]!;
    digests[table] = { rows: Number(count), digest: `${first}:${second}` };
  }
  return digests as Digest;
}

export const differingTables = (a: Digest, b: Digest): ReadTable[] =>
  READ_TABLES.filter(
    (table) => a[table].rows !== b[table].rows || a[table].digest !== b[table].digest,
  );

const PRIMARY_KEYS: Readonly<Record<ReadTable, string>> = {
  accounts: 'tenant_id, account_id',
  checkpoint: 'name',
  entries: 'tenant_id, account_id, revision',
  grants: 'tenant_id, account_id, period, revision',
  rejected_grants: 'tenant_id, account_id, revision',
  rejection_totals: 'tenant_id, account_id, period, day, reason, operation',
  snapshots: 'tenant_id, account_id, revision',
  usage_totals: 'tenant_id, account_id, period, day, operation, price_book_version',
};

/** The rows of a key as each schema has it, as JSON; null where it has none. */
interface RowDifference {
  readonly left: Readonly<Record<string, unknown>> | null;
  readonly right: Readonly<Record<string, unknown>> | null;
}

/** The first row, in the order of the primary key, that two schemas do not both have. */
export async function firstDifference(
  pool: Pool,
  table: ReadTable,
  left: string,
  right: string,
): Promise<RowDifference | undefined> {
  const keys = PRIMARY_KEYS[table];
  const { rows } = await pool.query<RowDifference>(
    `select to_json(a) as left, to_json(b) as right
     from ${schemaName(left)}.${table} a full join ${schemaName(right)}.${table} b using (${keys})
     where a is distinct from b order by ${keys} limit 1`,
  );
  return rows[0];
}
