import { randomUUID } from 'node:crypto';
import { openLogFile, type LogFile } from './log-file.js';

export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  readonly is_json: boolean;
  readonly data: Buffer;
  readonly metadata: Buffer;
}

export interface StoredEvent extends ProposedEvent {
  readonly stream: string;
  /** Counts up by one from 0 within the stream; TOMBSTONE for the event that ends it for ever. */
  readonly revision: number;
  /** Place in the log; rises, with gaps. */
  readonly position: number;
  /** Ticks of 100 ns since 1970, as decimal text. */
  readonly created: string;
}

/** Stands for 2^63 - 1, the revision of a tombstone. */
export const TOMBSTONE = -3;
export const revisionText = (revision: number): string =>
  revision === TOMBSTONE ? '9223372036854775807' : String(revision);

export const isTombstone = (event: StoredEvent): boolean => event.revision === TOMBSTONE;

export interface StreamState {
  /** Also those that no read shows yet. */
  readonly events: StoredEvent[];
  /** How many of them reads show. */
  indexed: number;
  /** How many of them an earlier process wrote. */
  recovered: number;
  tombstone?: StoredEvent;
}

/** What a stream's metadata may say about its life; the rest is kept in the events alone. */
export interface StreamMetadata {
  readonly $tb?: number;
  readonly $maxCount?: number;
  readonly $maxAge?: number;
  readonly $acl?: Readonly<Record<string, string | readonly string[]>>;
}

/**
 * Events, in order and by stream. Written only within `submit`. As on the server, an append is checked
 * against what was written before it, and reads show what was indexed: a moment later.
 */
export interface Store {
  /** All indexed events, positions rising. */
  readonly log: readonly StoredEvent[];
  /** The position that the next event will get. */
  end(): number;
  stream(name: string): StreamState | undefined;
  metadata(name: string): StreamMetadata;
  /**
   * Runs `work` with all that is submitted in this turn of the event loop, in order; calls what it
   * returns once everything that the group wrote is durable and indexed, or at once if it wrote nothing.
   */
  submit(work: () => () => void): void;
  write(stream: string, events: readonly ProposedEvent[]): StoredEvent[];
  writeTombstone(stream: string): StoredEvent;
  /** Takes a place in the log without an event, as an append of no events does. Returns it. */
  skip(): number;
  /** The revision at which this process first wrote this id to the stream. */
  firstRevisionOf(stream: string, id: string): number | undefined;
  /** Called with the events of every group, once they are indexed. Returns how to stop it. */
  onCommit(listener: (events: readonly StoredEvent[]) => void): () => void;
  /** Forgets what was submitted and not yet run, and closes the log. */
  close(): void;
}

/** A group of writes that is durable and not indexed yet. */
interface Group {
  readonly events: readonly StoredEvent[];
  readonly replies: readonly (() => void)[];
}

/** With `index_delay_ms` events are indexed so long after they are durable; without it at once. */
export function openStore(dir: string | undefined, index_delay_ms?: number): Store {
  const file: LogFile | undefined = dir === undefined ? undefined : openLogFile(dir);
  const log: StoredEvent[] = [];
  const streams = new Map<string, StreamState>();
  const listeners = new Set<(events: readonly StoredEvent[]) => void>();
  let end = 0;
  let queue: (() => () => void)[] = [];
  let unsaved: StoredEvent[] = [];
  let flushing: NodeJS.Immediate | undefined;
  let unindexed: Group[] = [];

  function add(event: StoredEvent): void {
    end = event.position + sizeOf(event);
    const state = streams.get(event.stream) ?? { events: [], indexed: 0, recovered: 0 };
    streams.set(event.stream, state);
    if (isTombstone(event)) state.tombstone = event;
    else state.events.push(event);
  }

  function show(event: StoredEvent): void {
    log.push(event);
    if (!isTombstone(event)) streams.get(event.stream)!.indexed += 1;
  }

  function write(stream: string, proposed: ProposedEvent, revision: number): StoredEvent {
    const created = `${Date.now()}0000`;
    const event = { ...proposed, stream, revision, position: end, created };
    add(event);
    unsaved.push(event);
    return event;
  }

  function flush(): void {
    flushing = undefined;
    const group = queue;
    queue = [];
    const replies: (() => void)[] = [];
    for (const work of group) {
      const written = unsaved.length;
      const reply = work();
      if (unsaved.length > written) replies.push(reply);
      else reply();
    }
    const events = unsaved;
    unsaved = [];
    if (events.length === 0) return;
    file?.append(events);
    unindexed.push({ events, replies });
    if (index_delay_ms === undefined) index();
    else setTimeout(index, index_delay_ms).unref();
  }

  /** Shows the oldest group. */
  function index(): void {
    const group = unindexed.shift();
    if (group === undefined) return; // closed meanwhile
    for (const event of group.events) show(event);
    for (const reply of group.replies) reply();
    for (const listener of listeners) listener(group.events);
  }

  const store: Store = {
    log,
    end: () => end,
    stream: (name) => streams.get(name),
    metadata: (name) => parseMetadata(streams.get(`$$${name}`)?.events.at(-1)),
    submit(work) {
      queue.push(work);
      flushing ??= setImmediate(flush);
    },
    write: (stream, events) => {
      const from = streams.get(stream)?.events.length ?? 0;
      return events.map((event, n) => write(stream, event, from + n));
    },
    writeTombstone: (stream) => write(stream, { ...emptyEvent('$streamDeleted') }, TOMBSTONE),
    skip() {
      end += 64;
      return end - 64;
    },
    firstRevisionOf(stream, id) {
      const { events = [], recovered = 0 } = streams.get(stream) ?? {};
      const revision = events.findIndex((event, n) => n >= recovered && event.id === id);
      return revision === -1 ? undefined : revision;
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      clearImmediate(flushing);
      queue = [];
      unindexed = [];
      listeners.clear();
      file?.close();
    },
  };

  for (const event of file?.recovered ?? []) {
    add(event);
    show(event);
  }
  for (const state of streams.values()) state.recovered = state.events.length;
  if (log.length === 0) {
    const metadata = { ...emptyEvent('$metadata'), is_json: true, data: Buffer.from('{}') };
    store.submit(() => {
      // An empty server has two events, as its checkpoints tell.
      store.write('$$$scavenges', [metadata, { ...metadata, id: randomUUID() }]);
      return () => {};
    });
    flush();
  }
  return store;
}

const emptyEvent = (type: string): ProposedEvent => ({
  id: randomUUID(),
  type,
  is_json: false,
  data: Buffer.alloc(0),
  metadata: Buffer.alloc(0),
});

const sizeOf = (event: StoredEvent): number =>
  128 + event.stream.length + event.type.length + event.data.length + event.metadata.length;

function parseMetadata(event: StoredEvent | undefined): StreamMetadata {
  if (event === undefined) return {};
  try {
    return JSON.parse(event.data.toString('utf8')) as StreamMetadata;
  } catch {
    return {}; // the server ignores what it cannot read
  }
}
