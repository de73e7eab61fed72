import type { Pool } from 'pg';
import { epochMsOf, type Instant, type MessageCoordinate } from '#libs/contracts';
import { int4Array, int8Array, textArray } from '#libs/platform';
import { OPS_SCHEMA } from '../schema.js';

/** A message as it stands on the bus; its stamp tells it from one at the same place of a topic made anew. */
export interface StampedMessage extends MessageCoordinate {
  readonly timestamp: Instant;
}

/** The database's clock, in epoch milliseconds. */
export async function databaseTimeMs(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ now: Instant }>('select clock_timestamp() as now');
  return epochMsOf(rows[0]!.now);
}

/** Has writers refuse these from now on, for ever. Returns how many were not set aside before. */
export async function setAside(pool: Pool, messages: readonly StampedMessage[]): Promise<number> {
  const { rowCount } = await pool.query(
    `insert into ${OPS_SCHEMA}.set_aside (timestamp, topic, partition, "offset")
     select q.timestamp::timestamptz, q.topic, q.partition, q."offset"
     from unnest($1::text[], $2::text[], $3::int4[], $4::int8[])
       q(timestamp, topic, partition, "offset")
     on conflict do nothing`,
    [
      textArray(messages.map(({ timestamp }) => timestamp)),
      textArray(messages.map(({ topic }) => topic)),
      int4Array(messages.map(({ partition }) => partition)),
      int8Array(messages.map(({ offset }) => offset)),
    ],
  );
  return rowCount ?? 0;
}

/** Those of a batch that were set aside. One look at an index, which has no entry of such a time as a rule. */
export async function setAsideAmong<M extends StampedMessage>(
  pool: Pool,
  messages: readonly M[],
): Promise<ReadonlySet<M>> {
  const stamps = messages.map(({ timestamp }) => timestamp).sort();
  const { rows } = await pool.query<StampedMessage>(
    `select timestamp, topic, partition, "offset" from ${OPS_SCHEMA}.set_aside
     where timestamp between $1 and $2`,
    [stamps[0], stamps.at(-1)],
  );
  if (rows.length === 0) return new Set();
  const set_aside = new Set(rows.map(nameOf));
  return new Set(messages.filter((message) => set_aside.has(nameOf(message))));
}

const nameOf = ({ timestamp, topic, partition, offset }: StampedMessage): string =>
  `${topic}/${partition}/${offset} ${timestamp}`;
