import type { AppendResult, EventAppender, StreamAppend } from '#libs/event-store';
import { HoldsLane, type BatchControl } from '#libs/message-bus';
import { backoffMs } from '#libs/platform';
import type { Pause } from './pause.js';

export type DefiniteResult = Extract<AppendResult, { kind: 'appended' | 'conflict' }>;

const RETRY = { min_ms: 25, max_ms: 2_000 };

/**
 * Appends until every answer is definite. An unknown outcome is resolved by repeating the identical
 * call alone: reading would prove nothing, since it may be written later. Throws TailLost when a stream
 * is shorter than what was read, and an Error when the store refuses: both stop the partition undecided.
 */
export async function appendUntilDefinite(
  { store, pause }: { readonly store: EventAppender; readonly pause: Pause },
  appends: readonly StreamAppend[],
  control: BatchControl,
): Promise<DefiniteResult[]> {
  const definite: DefiniteResult[] = [];
  let open = appends.map((append, index) => ({ append, index }));
  for (let attempt = 1; ; attempt += 1) {
    const results = await store.appendMany(open.map(({ append }) => append));
    const unknown: typeof open = [];
    for (const [i, result] of results.entries()) {
      const { append, index } = open[i]!;
      if (result.kind === 'unknown') unknown.push(open[i]!);
      else definite[index] = definiteResult(append, result);
    }
    if (unknown.length === 0) return definite;
    open = unknown;
    await pause(backoffMs(RETRY, attempt), control.signal);
    await control.heartbeat();
  }
}

function definiteResult(
  append: StreamAppend,
  result: Exclude<AppendResult, { kind: 'unknown' }>,
): DefiniteResult {
  if (result.kind === 'refused') throw new Error(`${append.stream}: append refused, ${result.why}`);
  const { expected_revision } = append;
  if (result.kind === 'conflict' && result.actual_revision < expected_revision) {
    throw new TailLost(append.stream, result.actual_revision, expected_revision);
  }
  return result;
}

/** A store that lost its tail is never silently accepted: rebuild first, then start the writers. */
export class TailLost extends HoldsLane {
  override readonly name = 'TailLost';
  constructor(stream: string, actual: number, read: number) {
    super(
      `${stream} is at revision ${actual} but was read at ${read}: the store has lost its tail; ` +
        'rebuild the read models, then start the writers',
    );
  }
}
