import type { ClientBase, Pool } from 'pg';
import { migrate } from '#libs/platform';
import { OPERATIONS_MIGRATIONS } from './migrations/operations.js';
import { READ_MIGRATIONS } from './migrations/read.js';

/** The live read models. A rebuild fills another schema beside it. */
export const READ_SCHEMA = 'read';
/** Dead letters and parked accounts: never rebuilt. */
export const OPS_SCHEMA = 'ops';

/** The tables of the read models, all of them folds of the streams. */
export const READ_TABLES = [
  'accounts',
  'checkpoint',
  'entries',
  'grants',
  'rejected_grants',
  'rejection_totals',
  'snapshots',
  'usage_totals',
] as const;
export type ReadTable = (typeof READ_TABLES)[number];

export const migrateReadModels = (pool: Pool, schema: string = READ_SCHEMA): Promise<void> =>
  migrate(pool, schemaName(schema), READ_MIGRATIONS);

export const migrateOperations = (pool: Pool): Promise<void> =>
  migrate(pool, OPS_SCHEMA, OPERATIONS_MIGRATIONS);

/** Whether the tables are those that this program fills, no more and no less: a condition in SQL. */
export const hasOwnTables = (schema: string): string =>
  `(select count(*) from ${schemaName(schema)}.migration) = ${READ_MIGRATIONS.length}`;

/** Throws when another program has migrated the tables: what is written here would leave some out. */
export async function requireOwnTables(pool: Pool | ClientBase, schema: string): Promise<void> {
  const { rows } = await pool.query<{ own: boolean }>(`select ${hasOwnTables(schema)} as own`);
  if (rows[0]!.own) return;
  throw new Error(`schema ${schema} was migrated by another version of this program`);
}

const SCHEMA_NAME = /^[a-z][a-z0-9_]{0,40}$/;

/** A schema's name as it may stand in SQL. Throws RangeError for what would need quoting. */
export function schemaName(schema: string): string {
  if (SCHEMA_NAME.test(schema)) return schema;
  throw new RangeError(`not a schema name: ${JSON.stringify(schema)}`);
}
