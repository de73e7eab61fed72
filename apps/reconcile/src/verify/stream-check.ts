import { ACCOUNT_STREAM_PREFIX } from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import { CouldNotRun } from '../exit-code.js';
import type { Progress } from '../output.js';
import { eventText } from '../coordinates.js';
import type { Findings } from './findings.js';
import type { ReadView } from '../read-view.js';
import {
  decisionsInView,
  foundDecision,
  requestKey,
  type RecentDecisions,
} from './request-lookup.js';
import { fieldsOf, followEvent, type StreamHeads } from './stream-heads.js';
import { readPriceBooks, type TenantPriceBooks } from './tenant-price-books.js';

const BATCH = 2_000;

/** Follows every account's stream up to a position; nothing of the events themselves is kept. */
export async function followStreams(
  store: Pick<EventReader, 'readAll'>,
  until: string,
  streams: StreamHeads,
  findings: Findings,
  progress: Progress,
): Promise<void> {
  const range = { prefix: ACCOUNT_STREAM_PREFIX, after: null, until, batch_size: BATCH };
  for await (const batch of store.readAll(range)) {
    for (const recorded of batch) followEvent(streams, recorded, findings);
    progress.at(streams.events);
  }
}

/** Decisions that the read models do not hold. */
export interface Recent {
  readonly decisions: RecentDecisions;
  /** Of accounts: what the projector has still to do. */
  readonly not_projected: number;
  /** The streams of those, and where the last of them stands. */
  readonly streams: ReadonlySet<string>;
  readonly until: string | null;
  /** When the first of those was recorded. */
  readonly since: string | null;
  readonly price_books: TenantPriceBooks;
}

interface RecentAudit {
  readonly view: ReadView;
  readonly schema: string;
  readonly findings: Findings;
}

/** A projector that is further behind has to catch up first: its backlog is kept in memory. */
const MAX_RECENT = 1_000_000;

/**
 * Decisions that the read models do not hold: of accounts after the position that they stand at, and
 * all of price books. None of them may have been decided before.
 */
export async function recentDecisions(
  store: Pick<EventReader, 'readAll'>,
  after: string | null,
  streams: StreamHeads,
  audit: RecentAudit,
): Promise<Recent> {
  let since: string | null = null;
  let until: string | null = null;
  const ahead_streams = new Set<string>();
  const recent: RecentDecisions = new Map();
  const accounts = { prefix: ACCOUNT_STREAM_PREFIX, after, batch_size: BATCH };
  // Their heads are not those that the read models stand at.
  const ahead = { ...streams, heads: new Map(streams.heads), events: 0 };
  for await (const batch of store.readAll(accounts)) {
    since ??= fieldsOf(batch[0]!.data)?.recorded_at ?? null;
    until = batch.at(-1)!.position;
    for (const { stream } of batch) ahead_streams.add(stream);
    await keep(batch);
  }
  const not_projected = recent.size;
  const price_books = await readPriceBooks(store, audit.findings, keep);
  return { decisions: recent, not_projected, streams: ahead_streams, since, until, price_books };

  async function keep(batch: readonly RecordedEvent[]): Promise<void> {
    const decided = batch.flatMap((recorded) => {
      const request = followEvent(ahead, recorded, audit.findings);
      const place = eventText(recorded.stream, recorded.revision);
      return request
        ? [{ key: requestKey(request), found: foundDecision(request, place, recorded.data) }]
        : [];
    });
    const keys = decided.map(({ key }) => key);
    const earlier = await decisionsInView(audit.view, audit.schema, keys);
    for (const { key, found } of decided) {
      const before = recent.get(key) ?? earlier.get(key);
      if (before) {
        const detail = 'its request was decided before';
        const [left, right] = [found.place, before.place];
        audit.findings.add({ check: 'request_decided_twice', detail, left, right });
        continue;
      }
      recent.set(key, found);
    }
    if (recent.size <= MAX_RECENT) return;
    throw new CouldNotRun(
      `the read models are more than ${MAX_RECENT} events behind: wait for them`,
    );
  }
}
