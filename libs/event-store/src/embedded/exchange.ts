import { BroadcastChannel } from 'node:worker_threads';
import type { RecordedEvent } from '../port.js';
import { positionText } from '../position.js';
import type { OnCommitted } from './append-call.js';

/** Where stores of one process, of its threads too, hand each other what they commit. */
export interface Exchange {
  /** Tells the others of events that were committed after position `before`. */
  readonly tell: OnCommitted;
  close(): void;
}

/** Columns: as many objects would have the names of their fields copied between threads, too. */
interface Told {
  readonly before: number;
  readonly stream: string[];
  readonly revision: number[];
  readonly event_id: string[];
  readonly type: string[];
  readonly data: string[];
  readonly meta: string[];
}

/** Joins the exchange of this name. `onTold` gets what others tell, in the order of each of them. */
export function joinExchange(name: string, onTold: OnCommitted): Exchange {
  const channel = new BroadcastChannel(`committed events: ${name}`);
  channel.unref();
  channel.onmessage = (message) => {
    const told = (message as { data: Told }).data;
    onTold(told.before, eventsOf(told));
  };
  return {
    tell: (before, events) => channel.postMessage(columnsOf(before, events)),
    close: () => channel.close(),
  };
}

const columnsOf = (before: number, events: readonly RecordedEvent[]): Told => ({
  before,
  stream: events.map((event) => event.stream),
  revision: events.map((event) => event.revision),
  event_id: events.map((event) => event.event_id),
  type: events.map((event) => event.type),
  data: events.map((event) => event.data),
  meta: events.map((event) => event.meta),
});

const eventsOf = (told: Told): RecordedEvent[] =>
  told.stream.map((stream, n) => ({
    event_id: told.event_id[n]!,
    type: told.type[n]!,
    data: told.data[n]!,
    meta: told.meta[n]!,
    stream,
    revision: told.revision[n]!,
    position: positionText(told.before + n + 1),
  }));
