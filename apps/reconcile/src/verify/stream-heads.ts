import {
  followLink,
  GENESIS,
  InvariantBroken,
  SHIPPED_PRICE_BOOK_REQUEST_ID,
  type MessageCoordinate,
  type StreamHead,
} from '#libs/contracts';
import type { RecordedEvent } from '#libs/event-store';
import { coordinateText, eventText } from '../coordinates.js';
import type { CoordinateSet } from './coordinate-set.js';
import type { Findings } from './findings.js';

/** What the audit keeps of the streams: some 250 bytes for each. */
export interface StreamHeads {
  /** By name of the stream. */
  readonly heads: Map<string, StreamHead>;
  /** Streams that are broken: reported once, not looked at any further. */
  readonly broken: Set<string>;
  /** Messages that an event says it decided. */
  readonly sources: CoordinateSet;
  events: number;
}

export const newStreamHeads = (sources: CoordinateSet): StreamHeads => ({
  heads: new Map(),
  broken: new Set(),
  sources,
  events: 0,
});

/** What an event says of the request that it decided. */
export interface DecidedRequest {
  readonly type: string;
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
  readonly fingerprint: string;
  readonly occurred_at: string;
  readonly recorded_at: string;
  readonly source: MessageCoordinate;
}

/**
 * Follows one event of a stream: revisions count up by one, ids and chain are those of the bytes, and
 * no other event decided the same message. Returns what it decided; undefined for what fell due and
 * on a broken stream.
 */
export function followEvent(
  streams: StreamHeads,
  recorded: RecordedEvent,
  findings: Findings,
): DecidedRequest | undefined {
  const { stream } = recorded;
  if (streams.broken.has(stream)) return undefined;
  const place = eventText(stream, recorded.revision);
  try {
    streams.heads.set(stream, followLink(streams.heads.get(stream) ?? GENESIS, recorded));
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    findings.add({ check: 'stream_broken', detail: error.message, left: place, right: null });
    streams.broken.add(stream);
    return undefined;
  }
  streams.events += 1;
  const fields = fieldsOf(recorded.data);
  if (fields === undefined) {
    const detail = 'an event that is no JSON';
    findings.add({ check: 'stream_broken', detail, left: place, right: null });
    streams.broken.add(stream);
    return undefined;
  }
  if (fields.request_id === undefined || fields.source === undefined) return undefined;
  const decided = fields as DecidedRequest;
  if (decided.request_id === SHIPPED_PRICE_BOOK_REQUEST_ID) return undefined;
  noteSource(streams.sources, place, decided.source, findings);
  return decided;
}

/** What stands in an event; undefined when it is no JSON. */
export function fieldsOf(data: string): Partial<DecidedRequest> | undefined {
  try {
    return (JSON.parse(data) as Partial<DecidedRequest> | null) ?? {};
  } catch {
    return undefined;
  }
}

function noteSource(
  sources: CoordinateSet,
  left: string,
  source: MessageCoordinate,
  findings: Findings,
): void {
  const right = coordinateText(source);
  switch (sources.add(source)) {
    case 'added':
    case 'gone':
      return;
    case 'present': {
      const detail = 'another event has decided this message already';
      findings.add({ check: 'message_decided_twice', detail, left, right });
      return;
    }
    case 'unknown': {
      const detail = 'it says that it decided a message of no such topic or partition';
      findings.add({ check: 'event_without_request', detail, left, right });
    }
  }
}
