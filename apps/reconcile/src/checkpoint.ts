import { projectedUpTo, schemaName, type Checkpoint } from '#libs/read-models';
import { CouldNotRun } from './exit-code.js';
import type { ReadView } from './read-view.js';

/** Where the read models stand in this view. */
export type VerifiedCheckpoint = {
  readonly events: number;
  readonly recorded_at: string | null;
} & (Checkpoint | typeof BEFORE_THE_FIRST);

const BEFORE_THE_FIRST = { position: null, event_id: null } as const;

export async function checkpointIn(view: ReadView, schema: string): Promise<VerifiedCheckpoint> {
  const [found] = await view.query<{ there: boolean }>(
    'select to_regclass($1) is not null as there',
    [`${schemaName(schema)}.checkpoint`],
  );
  if (!found?.there) throw new CouldNotRun('there are no read models: start the projector first');
  const { checkpoint, events, recorded_at } = await projectedUpTo(view.client, schema);
  return { ...(checkpoint ?? BEFORE_THE_FIRST), events, recorded_at };
}
