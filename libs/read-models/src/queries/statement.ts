import type { Pool } from 'pg';
import { InvariantBroken } from '#libs/contracts';
import { keyOfCursor, limitOf, NUMBER_KEY, pageOf, type Page, type PageRequest } from '../page.js';
import { READ_SCHEMA, schemaName } from '../schema.js';
import { ENTRY_COLUMNS, entryOf, type Entry, type EntryRow } from './entry.js';

export interface StatementPage extends Page<Entry> {
  /** The account's last projected revision, which may be newer than what the page shows. */
  readonly revision: number;
}

/**
 * What happened on an account, newest first: the page that a person wants to see comes first, and what
 * is recorded meanwhile does not move the pages behind a cursor. Undefined for an unknown account.
 */
export async function statement(
  pool: Pool,
  tenant_id: string,
  account_id: string,
  page: PageRequest = {},
  schema: string = READ_SCHEMA,
): Promise<StatementPage | undefined> {
  const s = schemaName(schema);
  const limit = limitOf(page);
  const { rows } = await pool.query<EntryRow & { at: bigint; newest: bigint }>(
    // Bounded below as well: revisions have no gaps, and no plan then reads more than the page.
    `select a.revision as at, top.newest, e.*
     from ${s}.accounts a
     cross join lateral (select least(a.revision, $3::int8 - 1) as newest) top
     left join lateral (
       select ${ENTRY_COLUMNS} from ${s}.entries e
       where e.tenant_id = $1 and e.account_id = $2
         and e.revision <= top.newest and e.revision > top.newest - $4::int8) e on true
     where a.tenant_id = $1 and a.account_id = $2
     order by e.revision desc`,
    [tenant_id, account_id, keyOfCursor(page, NUMBER_KEY), limit + 1],
  );
  const [first] = rows;
  if (first === undefined) return undefined;
  const entries = rows.filter((row) => row.revision !== null).map(entryOf);
  if (entries.length !== Math.min(limit + 1, Number(first.newest) + 1)) {
    throw new InvariantBroken(
      `${tenant_id}/${account_id}: entries below ${first.newest} are missing`,
    );
  }
  return { ...pageOf(entries, limit, (entry) => entry.revision), revision: Number(first.at) };
}
