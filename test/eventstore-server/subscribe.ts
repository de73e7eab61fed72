import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { ServerContext } from './context.js';
import { grpcError, handlerThrew, streamDeleted } from './errors.js';
import * as answers from './read-answers.js';
import { indexFrom } from './log-position.js';
import { SERVER_PAGE, type Filter, type ReadRequest, type Source } from './read-request.js';
import * as rules from './rules.js';
import { sendAll, type ReadCall } from './sending.js';
import type { Store, StoredEvent } from './store.js';

type Answers = ReturnType<typeof answers.event>[];

/** What has been committed and not been looked at, and how to wait for more. */
interface Live {
  /** Undefined when the client has gone. */
  next(): Promise<readonly StoredEvent[] | undefined>;
  stop(): void;
}

export async function subscribe(
  context: ServerContext,
  call: ReadCall,
  request: ReadRequest,
  form: answers.EventForm,
): Promise<void> {
  const live = follow(context.store, call);
  try {
    await (request.source.kind === 'stream'
      ? subscribeToStream(context, call, live, request.source, form)
      : subscribeToAll(context, call, live, request.source, request.filter, form));
  } finally {
    live.stop();
  }
}

function follow(store: Store, call: ReadCall): Live {
  let committed: StoredEvent[] = [];
  let wake = () => {};
  const stop = store.onCommit((events) => {
    committed.push(...events);
    wake();
  });
  call.on('cancelled', () => wake());
  return {
    stop,
    async next() {
      while (committed.length === 0 && !call.cancelled) {
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const events = committed;
      committed = [];
      return call.cancelled ? undefined : events;
    },
  };
}

async function subscribeToStream(
  { store, faults }: ServerContext,
  call: ReadCall,
  live: Live,
  { stream, from }: Extract<Source, { kind: 'stream' }>,
  form: answers.EventForm,
): Promise<void> {
  if (rules.isTombstoned(store, stream)) throw streamDeleted(stream);
  const isThere = () =>
    rules.lastRevision(store, stream) >= 0 && !rules.isSoftDeleted(store, stream);
  await sendAll(call, [answers.confirmation(randomUUID())]);

  // 23.10 says nothing of an empty stream until its first event.
  while (from !== 'end' && !isThere()) {
    if ((await live.next()) === undefined) return;
    if (rules.isTombstoned(store, stream)) throw streamDeleted(stream);
  }
  const last = rules.lastRevision(store, stream);
  let next = from === 'start' ? 0 : from === 'end' ? last + 1 : from + 1;
  const events = store.stream(stream)?.events.slice(0, last + 1) ?? [];
  const first = Math.max(next, rules.firstVisible(store, stream));
  await sendAll(
    call,
    events.slice(first).map((event) => answers.event(store, event, form)),
  );
  await sendAll(call, [answers.caughtUp()]);
  next = Math.max(next, last + 1);

  for (let batch = await live.next(); batch !== undefined; batch = await live.next()) {
    const ours = batch.filter((event) => event.stream === stream);
    requireNoBurst(ours.length, faults.burst_limit);
    // A tombstone is delivered too, and then the subscription fails.
    const fresh = ours.filter((event) => event.revision >= next || event.revision < 0);
    await sendAll(
      call,
      fresh.map((event) => answers.event(store, event, form)),
    );
    if (rules.isTombstoned(store, stream)) throw streamDeleted(stream);
  }
}

async function subscribeToAll(
  { store, faults }: ServerContext,
  call: ReadCall,
  live: Live,
  { from }: Extract<Source, { kind: 'all' }>,
  filter: Filter | undefined,
  form: answers.EventForm,
): Promise<void> {
  if (filter !== undefined && filter.checkpoint_interval <= 0) throw handlerThrew();
  let at = indexFrom(store, from, false, filter !== undefined);
  // What stands at the position itself has been seen.
  if (typeof from === 'object' && store.log[at]?.position === from.commit) at += 1;
  await sendAll(call, [answers.confirmation(randomUUID())]);

  let considered = 0;
  let end = store.log.length;
  while (at < end) {
    const page = filter === undefined ? plainPage(store, at) : searchPage(store, at, filter);
    const messages: Answers = page.found.map((event) => answers.event(store, event, form));
    considered += page.next - at;
    if (filter !== undefined && considered >= filter.checkpoint_interval) {
      considered %= filter.checkpoint_interval;
      messages.push(pageCheckpoint(page.found.at(-1), store.log[at]!));
    }
    if (!(await sendAll(call, messages))) return;
    at = page.next;
    end = store.log.length;
  }
  await sendAll(call, [answers.caughtUp()]);

  const seen = store.log[at - 1]?.position ?? -1;
  let since_checkpoint = 0;
  for (let batch = await live.next(); batch !== undefined; batch = await live.next()) {
    const fresh = batch.filter((event) => event.position > seen);
    const passes = (event: StoredEvent) => filter === undefined || filter.passes(event);
    requireNoBurst(fresh.filter(passes).length, faults.burst_limit);
    const messages: Answers = [];
    for (const event of fresh) {
      if (passes(event)) messages.push(answers.event(store, event, form));
      since_checkpoint += 1;
      if (filter === undefined || since_checkpoint < filter.checkpoint_interval) continue;
      since_checkpoint = 0;
      messages.push(answers.checkpoint(event.position, event.position));
    }
    await sendAll(call, messages);
  }
}

interface Page {
  readonly found: readonly StoredEvent[];
  readonly next: number;
}

const plainPage = ({ log }: Store, at: number): Page => ({
  found: log.slice(at, at + SERVER_PAGE),
  next: Math.min(log.length, at + SERVER_PAGE),
});

/** Looks at the events from an index on, until it has a page full or has looked at a window. */
function searchPage({ log }: Store, at: number, filter: Filter): Page {
  const found: StoredEvent[] = [];
  let next = at;
  while (next < log.length && found.length < SERVER_PAGE && next - at < filter.window) {
    const event = log[next]!;
    if (filter.passes(event)) found.push(event);
    next += 1;
  }
  return { found, next };
}

/** The checkpoint after a page lies at its last match; without one, where the page began. */
const pageCheckpoint = (match: StoredEvent | undefined, first: StoredEvent) =>
  match === undefined
    ? answers.checkpoint(first.position, 0)
    : answers.checkpoint(match.position, match.position);

function requireNoBurst(count: number, limit: number | undefined): void {
  if (limit === undefined || count <= limit) return;
  throw grpcError(
    status.ABORTED,
    'Consumer too slow to handle event while live. Client resubscription required.',
  );
}
