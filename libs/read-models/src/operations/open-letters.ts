import type { Pool } from 'pg';
import {
  REQUEST_TOPICS,
  storableText,
  type AccountKey,
  type DeadLetterReason,
  type MessageCoordinate,
} from '#libs/contracts';
import { textArray } from '#libs/platform';
import { OPS_SCHEMA } from '../schema.js';
import {
  DEAD_LETTER_COLUMNS,
  filedOf,
  IS_OPEN,
  type DeadLetterRow,
  type FiledDeadLetter,
} from './dead-letters.js';

/** Which dead letters; what is undefined does not narrow it down. */
export interface LetterFilter {
  readonly reasons?: readonly DeadLetterReason[] | undefined;
  /** By the key of the message, unless its content names another: then it is nobody's. */
  readonly tenant_id?: string | undefined;
  readonly account?: AccountKey | undefined;
  readonly source?: MessageCoordinate | undefined;
}

export interface RedriveFilter extends LetterFilter {
  /** Filed up to this one, see newestDeadLetter. */
  readonly up_to?: bigint | undefined;
}

/** Number of the letter that was filed last; 0 when there is none. */
export async function newestDeadLetter(pool: Pool): Promise<bigint> {
  const { rows } = await pool.query<{ id: bigint }>(
    `select coalesce(max(id), 0) as id from ${OPS_SCHEMA}.dead_letters`,
  );
  return rows[0]!.id;
}

/**
 * Requests among the dead letters that were not redriven yet, in the order in which they stood on the
 * bus: by the broker's time, and by offset within a partition. Dismissed ones only by `source`. `after` is
 * the last of the page before.
 */
export async function lettersToRedrive(
  pool: Pool,
  { reasons, tenant_id, account, source, up_to }: RedriveFilter,
  after: FiledDeadLetter | undefined,
  limit: number,
): Promise<FiledDeadLetter[]> {
  const { rows } = await pool.query<DeadLetterRow>(
    `select ${DEAD_LETTER_COLUMNS}
     from ${OPS_SCHEMA}.dead_letters
     where redriven_at is null and (dismissed_at is null or $4::text is not null)
       and topic = any($1::text[])
       and ($2::text[] is null or reason = any($2))
       and ($3::bytea is null or key = $3)
       and ($4::text is null or (topic, partition, "offset") = ($4, $5::int, $6::int8))
       and ($7::timestamptz is null
            or (timestamp, topic, partition, "offset") > ($7, $8::text, $9::int, $10::int8))
       and ($11::int8 is null or id <= $11)
       and ($12::text is null or tenant_id = $12)
     order by timestamp, topic, partition, "offset" limit $13::int8`,
    [
      textArray(REQUEST_TOPICS),
      reasons && textArray(reasons),
      account === undefined ? null : Buffer.from(account),
      source?.topic,
      source?.partition,
      source?.offset,
      after?.timestamp,
      after?.source.topic,
      after?.source.partition,
      after?.source.offset,
      up_to,
      tenant_id,
      limit,
    ],
  );
  return rows.map(filedOf);
}

/**
 * Notes who says of which open letters that nothing is left to be done, and why. The first note stands.
 * Returns how many there are; unless there are as many as `expected`, nothing is noted.
 */
export async function dismissLetters(
  pool: Pool,
  { reasons, tenant_id, account, source }: LetterFilter,
  { by, why }: { readonly by: string; readonly why: string },
  expected: number,
): Promise<number> {
  const { rows } = await pool.query<{ letters: bigint }>(
    `with chosen as materialized (
       select id from ${OPS_SCHEMA}.dead_letters
       where ${IS_OPEN}
         and ($3::text[] is null or reason = any($3))
         and ($4::text is null or tenant_id = $4)
         and ($5::bytea is null or key = $5)
         and ($6::text is null or (topic, partition, "offset") = ($6, $7::int, $8::int8))),
     counted as (select count(*) as letters from chosen),
     noted as (
       update ${OPS_SCHEMA}.dead_letters d
       set dismissed_at = now(), dismissed_by = $1, dismissed_why = $2
       from chosen, counted
       where d.id = chosen.id and ${IS_OPEN} and counted.letters = $9::int8)
     select letters from counted`,
    [
      storableText(by),
      storableText(why),
      reasons && textArray(reasons),
      tenant_id,
      account === undefined ? null : Buffer.from(account),
      source?.topic,
      source?.partition,
      source?.offset,
      expected,
    ],
  );
  return Number(rows[0]!.letters);
}

/** How many dead letters are open, by reason, the most first. */
export async function openDeadLetters(
  pool: Pool,
): Promise<{ readonly reason: DeadLetterReason; readonly letters: number }[]> {
  const { rows } = await pool.query<{ reason: DeadLetterReason; letters: bigint }>(
    `select reason, count(*) as letters from ${OPS_SCHEMA}.dead_letters
     where ${IS_OPEN} group by reason order by letters desc, reason`,
  );
  return rows.map(({ reason, letters }) => ({ reason, letters: Number(letters) }));
}
