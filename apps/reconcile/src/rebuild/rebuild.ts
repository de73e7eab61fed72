import { ACCOUNT_STREAM_PREFIX } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import {
  createProjection,
  differingTables,
  digest,
  digestIn,
  firstDifference,
  migrateReadModels,
  projectedUpTo,
  READ_SCHEMA,
  READ_TABLES,
  replaceSchema,
  schemaName,
  type Checkpoint,
  type Digest,
  type Projection,
  type ReadTable,
} from '#libs/read-models';
import type { Pool } from 'pg';
import { CouldNotRun, EXIT, type ExitCode } from '../exit-code.js';
import type { Output, Progress } from '../output.js';
import { grouped, tableHeader, tableRow, type Column } from '../table.js';
import { checkpointIn } from '../checkpoint.js';
import { inReadView } from '../read-view.js';

interface RebuildOptions {
  /** Fill this schema, compare, and leave the live one in its place; undefined: replace it. */
  readonly into: string | undefined;
  /** Replace the live read models although they differ. */
  readonly accept_differences: boolean;
}

interface RebuildPorts {
  readonly store: Pick<EventReader, 'readAll'>;
  readonly pool: Pool;
}

const NEXT_SCHEMA = 'read_next';
const BATCH = 2_000;

/** Projects the streams into a schema of its own while the live one goes on, and compares both. */
export async function rebuild(
  ports: RebuildPorts,
  options: RebuildOptions,
  out: Output,
): Promise<ExitCode> {
  const { pool } = ports;
  const next = await makeSchema(pool, options.into);
  const projection = createProjection(pool, { schema: next });
  await projection.loadCheckpoint();
  const live = await projectedUpTo(pool);
  const progress = out.progress('rebuild', live.events);
  const catchUp = catchingUp(ports, projection, progress);
  try {
    await catchUp(live.checkpoint);
    // What was projected meanwhile; the rest is short enough to let projectors wait for it.
    await catchUp((await projectedUpTo(pool)).checkpoint);
    if (options.into !== undefined) return await compare(pool, next, catchUp, out);
    return await replace(pool, next, catchUp, options, out);
  } finally {
    progress.stop();
  }
}

async function makeSchema(pool: Pool, into: string | undefined): Promise<string> {
  const next = into ?? NEXT_SCHEMA;
  if (into === undefined) {
    // Left by a rebuild that was interrupted or that differed.
    await pool.query(`drop schema if exists ${NEXT_SCHEMA} cascade`);
  } else {
    const sql = `select to_regclass(nspname || '.checkpoint') is not null as has_read_models
      from pg_namespace where nspname = $1`;
    const { rows } = await pool.query<{ has_read_models: boolean }>(sql, [schemaNameOf(into)]);
    if (rows[0]) throw new CouldNotRun(whatToDo(into, rows[0].has_read_models));
  }
  await migrateReadModels(pool, next);
  return next;
}

/** Only what a rebuild may have made is named as something to drop. */
function whatToDo(into: string, has_read_models: boolean): string {
  const there = `the schema ${into} is there already: give --into another name`;
  if (!has_read_models || into === READ_SCHEMA) return there;
  return `${there}, or drop what an earlier rebuild left in it (drop schema ${into} cascade)`;
}

function schemaNameOf(name: string): string {
  if (name.startsWith('pg_')) {
    throw new CouldNotRun(`--into ${name}: Postgres keeps names that begin with pg_ for itself`);
  }
  try {
    return schemaName(name);
  } catch (error) {
    throw new CouldNotRun(`--into: ${(error as Error).message}`);
  }
}

type CatchUp = (until: Checkpoint | null) => Promise<void>;

/** Projects on to exactly a checkpoint; the next batch is read and folded while one is written. */
function catchingUp({ store }: RebuildPorts, projection: Projection, progress: Progress): CatchUp {
  let at: Checkpoint | null = null;
  let projected = 0;
  return async (until) => {
    if (until === null || until.event_id === at?.event_id) return;
    const range = { prefix: ACCOUNT_STREAM_PREFIX, after: at?.position ?? null, batch_size: BATCH };
    let written = Promise.resolve();
    for await (const batch of store.readAll({ ...range, until: until.position })) {
      const applied = projection.apply(batch);
      applied.catch(() => {}); // reported by what follows
      await written;
      written = applied.then(({ checkpoint, events }) => {
        at = checkpoint;
        projected += events;
        progress.at(projected);
      });
      written.catch(() => {}); // awaited after the next read
    }
    await written;
  };
}

/** Both at one checkpoint: the live tables as one view sees them, the new ones caught up to it. */
async function compare(pool: Pool, next: string, catchUp: CatchUp, out: Output): Promise<ExitCode> {
  const live = await inReadView(pool, async (view) => {
    const { position, event_id } = await checkpointIn(view, READ_SCHEMA);
    await catchUp(position === null ? null : { position, event_id });
    return digestIn(view.client, READ_SCHEMA);
  });
  const rebuilt = await digest(pool, next);
  const differing = differingTables(live, rebuilt);
  reportDigests(live, rebuilt, differing, out);
  await reportDifferences(pool, next, differing, out);
  out.report('rebuilt', { schema: next, replaced: false, differing }, () =>
    differing.length === 0
      ? `${next} is the same as ${READ_SCHEMA}, byte for byte`
      : `${next} differs from ${READ_SCHEMA} in ${differing.join(', ')}`,
  );
  return differing.length === 0 ? EXIT.fine : EXIT.mismatch;
}

async function replace(
  pool: Pool,
  next: string,
  catch_up: CatchUp,
  { accept_differences }: RebuildOptions,
  out: Output,
): Promise<ExitCode> {
  const accept = accept_differences ? 'any' : 'equal';
  const {
    replaced,
    differing,
    live,
    next: rebuilt,
  } = await replaceSchema(pool, {
    next,
    catch_up,
    accept,
  });
  reportDigests(live, rebuilt, differing, out);
  if (!replaced) await reportDifferences(pool, next, differing, out);
  const previous = `${READ_SCHEMA}_previous`;
  out.report('rebuilt', { schema: replaced ? READ_SCHEMA : next, replaced, differing }, () =>
    replaced
      ? `replaced; the tables before are kept in ${previous}`
      : `not replaced: they differ in ${differing.join(', ')}. ` +
        `${next} is kept; --accept-differences puts it in place`,
  );
  return differing.length === 0 || replaced ? EXIT.fine : EXIT.mismatch;
}

const COLUMNS: readonly Column[] = [
  { name: 'table', width: 16, align: 'left' },
  { name: 'rows live', width: 13, align: 'right' },
  { name: 'rows new', width: 13, align: 'right' },
  { name: '', width: 7, align: 'left' },
  { name: 'digest live', width: 16, align: 'left' },
  { name: 'digest new', width: 16, align: 'left' },
];

function reportDigests(
  live: Digest,
  next: Digest,
  differing: readonly ReadTable[],
  out: Output,
): void {
  out.report('digests', { live, next, differing }, () =>
    [
      tableHeader(COLUMNS),
      ...READ_TABLES.map((table) =>
        tableRow(COLUMNS, [
          table,
          grouped(live[table].rows),
          grouped(next[table].rows),
          differing.includes(table) ? 'DIFFERS' : 'same',
          live[table].digest.slice(-16),
          next[table].digest.slice(-16),
        ]),
      ),
    ].join('\n'),
  );
}

async function reportDifferences(
  pool: Pool,
  next: string,
  differing: readonly ReadTable[],
  out: Output,
): Promise<void> {
  for (const table of differing) {
    const difference = await firstDifference(pool, table, READ_SCHEMA, next);
    if (difference === undefined) continue;
    const { left, right } = difference;
    out.report(
      'difference',
      { table, live: left, next: right },
      () => `MISMATCH ${table}:\n  live ${JSON.stringify(left)}\n  new  ${JSON.stringify(right)}`,
    );
  }
}
