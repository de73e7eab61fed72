import { isUtf8 } from 'node:buffer';
import type { Pool } from 'pg';
import {
  deadLetterOf,
  ID_PATTERN,
  originalBytes,
  storableText,
  type DeadLetter,
  type DeadLetterReason,
  type Instant,
  type MessageCoordinate,
} from '#libs/contracts';
import { byteaArray, int4Array, int8Array, textArray } from '#libs/platform';
import { keyOfCursor, limitOf, NUMBER_KEY, pageOf, type Page, type PageRequest } from '../page.js';
import { OPS_SCHEMA } from '../schema.js';

/** A dead letter as it lies in the file. */
export interface FiledDeadLetter extends DeadLetter {
  /** Whose it is; null when its key and its content do not name the same tenant. */
  readonly tenant_id: string | null;
  readonly filed_at: Instant;
  readonly redriven_at: Instant | null;
  /** By a person who says that nothing is left to be done. */
  readonly dismissed: Dismissal | null;
}

export interface Dismissal {
  readonly at: Instant;
  readonly by: string;
  readonly why: string;
}

/** Files each coordinate once: filing again changes nothing. Returns how many were new. */
export async function fileDeadLetters(pool: Pool, letters: readonly DeadLetter[]): Promise<number> {
  const { rowCount } = await pool.query(
    `insert into ${OPS_SCHEMA}.dead_letters (topic, partition, "offset", tenant_id, key, value,
                                             headers, reason, detail, timestamp)
     select n.topic, n.partition, n."offset", n.tenant_id, n.key, n.value,
            n.headers::json, n.reason, n.detail, n.timestamp::timestamptz
     from unnest($1::text[], $2::int4[], $3::int8[], $4::text[], $5::bytea[], $6::bytea[],
                 $7::text[], $8::text[], $9::text[], $10::text[])
       n(topic, partition, "offset", tenant_id, key, value, headers, reason, detail, timestamp)
     on conflict (topic, partition, "offset") do nothing`,
    [
      textArray(letters.map((letter) => letter.source.topic)),
      int4Array(letters.map((letter) => letter.source.partition)),
      int8Array(letters.map((letter) => letter.source.offset)),
      textArray(letters.map(tenantOf)),
      byteaArray(letters.map((letter) => bytesOf(letter.key))),
      byteaArray(letters.map(originalBytes)),
      textArray(letters.map((letter) => JSON.stringify(letter.headers))),
      textArray(letters.map((letter) => letter.reason)),
      textArray(letters.map((letter) => storableText(letter.detail))),
      textArray(letters.map((letter) => letter.timestamp)),
    ],
  );
  return rowCount ?? 0;
}

// Bytes, since a stranger's key may hold NUL, which no Postgres text can.
const bytesOf = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text));

/** The key's tenant, unless the content names another one: then it is nobody's to see. */
function tenantOf(letter: DeadLetter): string | null {
  const [tenant_id = '', account_id] = (letter.key ?? '').split('/', 2);
  if (account_id === undefined || !ID_PATTERN.test(tenant_id)) return null;
  const claimed = claimedTenant(letter);
  return claimed === undefined || claimed === tenant_id ? tenant_id : null;
}

function claimedTenant({ value, encoding }: DeadLetter): unknown {
  if (value === null || encoding !== 'utf8') return undefined;
  try {
    return (JSON.parse(value) as { tenant_id?: unknown } | null)?.tenant_id;
  } catch {
    return undefined; // not JSON: it claims nothing
  }
}

export interface DeadLetterFilter extends PageRequest {
  /** Only those that were neither redriven nor dismissed. */
  readonly open?: boolean | undefined;
  /** Only those that are here for one of these reasons. */
  readonly reasons?: readonly DeadLetterReason[] | undefined;
}

/** A tenant's own dead letters, last filed first. */
export const deadLetters = (
  pool: Pool,
  tenant_id: string,
  filter: DeadLetterFilter = {},
): Promise<Page<FiledDeadLetter>> => select(pool, tenant_id, filter);

/** Everybody's, for who operates the ledger. */
export const allDeadLetters = (
  pool: Pool,
  filter: DeadLetterFilter = {},
): Promise<Page<FiledDeadLetter>> => select(pool, null, filter);

export interface DeadLetterRow extends MessageCoordinate {
  id: bigint;
  tenant_id: string | null;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, string>;
  reason: DeadLetterReason;
  detail: string;
  timestamp: Instant;
  filed_at: Instant;
  redriven_at: Instant | null;
  dismissed_at: Instant | null;
  dismissed_by: string | null;
  dismissed_why: string | null;
}

/** Columns of a DeadLetterRow. */
export const DEAD_LETTER_COLUMNS = `id, topic, partition, "offset", tenant_id, key, value, headers,
  reason, detail, timestamp, filed_at, redriven_at, dismissed_at, dismissed_by, dismissed_why`;

/** What waits for a person. */
export const IS_OPEN = 'redriven_at is null and dismissed_at is null';

async function select(
  pool: Pool,
  tenant_id: string | null,
  filter: DeadLetterFilter,
): Promise<Page<FiledDeadLetter>> {
  const limit = limitOf(filter);
  const { rows } = await pool.query<DeadLetterRow>(
    `select ${DEAD_LETTER_COLUMNS}
     from ${OPS_SCHEMA}.dead_letters
     where ($1::text is null or tenant_id = $1) and ($2::int8 is null or id < $2)
       and (not $3::bool or ${IS_OPEN}) and ($4::text[] is null or reason = any($4))
     order by id desc limit $5::int8`,
    [
      tenant_id,
      keyOfCursor(filter, NUMBER_KEY),
      filter.open ?? false,
      filter.reasons && textArray(filter.reasons),
      limit + 1,
    ],
  );
  const page = pageOf(rows, limit, (row) => String(row.id));
  return { ...page, items: page.items.map(filedOf) };
}

export const filedOf = (row: DeadLetterRow): FiledDeadLetter => ({
  ...deadLetterOf(
    {
      ...row,
      offset: Number(row.offset),
      key: row.key?.toString() ?? null,
      value: row.value !== null && isUtf8(row.value) ? row.value.toString() : row.value,
    },
    row.reason,
    row.detail,
  ),
  tenant_id: row.tenant_id,
  filed_at: row.filed_at,
  redriven_at: row.redriven_at,
  dismissed:
    row.dismissed_at === null
      ? null
      : { at: row.dismissed_at, by: row.dismissed_by!, why: row.dismissed_why! },
});

/** Notes that these were published again. Returns how many were not marked before. */
export async function markRedriven(
  pool: Pool,
  coordinates: readonly MessageCoordinate[],
): Promise<number> {
  const { rowCount } = await pool.query(
    `update ${OPS_SCHEMA}.dead_letters d set redriven_at = now()
     from unnest($1::text[], $2::int4[], $3::int8[]) q(topic, partition, "offset")
     where d.topic = q.topic and d.partition = q.partition and d."offset" = q."offset"
       and d.redriven_at is null`,
    [
      textArray(coordinates.map((source) => source.topic)),
      int4Array(coordinates.map((source) => source.partition)),
      int8Array(coordinates.map((source) => source.offset)),
    ],
  );
  return rowCount ?? 0;
}
