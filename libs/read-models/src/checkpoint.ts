import type { ClientBase, Pool } from 'pg';
import type { Instant } from '#libs/contracts';
import { READ_SCHEMA, schemaName } from './schema.js';

/** Place in the global order: opaque position and the very event that stands there. */
export interface Checkpoint {
  readonly position: string;
  readonly event_id: string;
}

/** How far the read models are. */
interface ProjectedUpTo {
  /** Null before the first event. */
  readonly checkpoint: Checkpoint | null;
  /** When the last projected event was decided. */
  readonly recorded_at: Instant | null;
  /** How many events are projected. */
  readonly events: number;
}

export async function projectedUpTo(
  pool: Pool | ClientBase,
  schema: string = READ_SCHEMA,
): Promise<ProjectedUpTo> {
  const { rows } = await pool.query<{
    position: string | null;
    event_id: string | null;
    recorded_at: Instant | null;
    events: bigint;
  }>(
    `select position, event_id, recorded_at, events
     from ${schemaName(schema)}.checkpoint where name = 'ledger'`,
  );
  const { position, event_id, recorded_at, events } = rows[0]!;
  const checkpoint = position === null ? null : { position, event_id: event_id! };
  return { checkpoint, recorded_at, events: Number(events) };
}
