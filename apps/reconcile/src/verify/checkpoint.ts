import { schemaName } from '#libs/read-models';
import { CouldNotRun } from '../exit-code.js';
import type { ReadView } from './read-view.js';

/** Where the read models stand in this view. */
export type VerifiedCheckpoint = {
  readonly events: number;
  readonly recorded_at: string | null;
} & (
  | { readonly position: string; readonly event_id: string }
  /** Before the first event. */
  | { readonly position: null; readonly event_id: null }
);

export async function checkpointIn(view: ReadView, schema: string): Promise<VerifiedCheckpoint> {
  const s = schemaName(schema);
  const [found] = await view.query<{ there: boolean }>(
    'select to_regclass($1) is not null as there',
    [`${s}.checkpoint`],
  );
  if (!found?.there) throw new CouldNotRun('there are no read models: start the projector first');
  const [row] = await view.query<VerifiedCheckpoint & { events: bigint }>(
    `select position, event_id, events, recorded_at from ${s}.checkpoint where name = 'ledger'`,
  );
  return { ...row!, events: Number(row!.events) } as VerifiedCheckpoint;
}
