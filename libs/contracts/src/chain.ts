import { hash } from 'node:crypto';
import { z } from 'zod';
import { decodeRecorded } from './json.js';
import { InvariantBroken } from './errors.js';

/** Where a stream stands: its last revision (-1 before the first event) and the chain there. */
export interface StreamHead {
  readonly revision: number;
  readonly chain: string;
}

/** A stream before its first event. */
export const GENESIS: StreamHead = { revision: -1, chain: '0'.repeat(64) };

/** An event ready for its place on a stream. */
export interface LinkedEvent {
  readonly event_id: string;
  readonly type: string;
  /** The stored bytes, as text. */
  readonly data: string;
  /** JSON metadata; carries the chain. */
  readonly meta: string;
}

/**
 * The chain at an event: SHA-256 over the previous chain (64 hex characters) and the event's stored
 * bytes, as 64 hex characters. An edited, removed or reordered event breaks every later link.
 */
export const nextChain = (previous: string, data: string): string =>
  hash('sha256', previous + data, 'hex');

const VARIANT = ['8', '9', 'a', 'b'];

/**
 * The event's id: the first 16 bytes of its chain as a UUIDv8 (RFC 9562 §5.8). Equal ids therefore
 * mean equal bytes at the same place, which makes a store's own id-based idempotency safe.
 */
export function eventIdOf(chain: string): string {
  const variant = VARIANT[Number.parseInt(chain[16]!, 16) & 3]!;
  return (
    `${chain.slice(0, 8)}-${chain.slice(8, 12)}-8${chain.slice(13, 16)}` +
    `-${variant}${chain.slice(17, 20)}-${chain.slice(20, 32)}`
  );
}

/** Gives encoded event data its id and chain as the next event after `head`. */
export function linkEvent(
  head: StreamHead,
  type: string,
  data: string,
): { event: LinkedEvent; head: StreamHead } {
  const chain = nextChain(head.chain, data);
  const event = { event_id: eventIdOf(chain), type, data, meta: `{"chain":"${chain}"}` };
  return { event, head: { revision: head.revision + 1, chain } };
}

/**
 * The head after a recorded event. Throws InvariantBroken unless the event is the next one of its
 * stream, its bytes continue the chain, and its metadata says the same.
 */
export function followLink(
  head: StreamHead,
  recorded: Pick<LinkedEvent, 'event_id' | 'data' | 'meta'> & { stream: string; revision: number },
): StreamHead {
  const place = `${recorded.stream} at revision ${recorded.revision}`;
  if (recorded.revision !== head.revision + 1) {
    throw new InvariantBroken(`${place}: expected revision ${head.revision + 1}`);
  }
  const chain = nextChain(head.chain, recorded.data);
  if (recorded.meta !== `{"chain":"${chain}"}` && chainOf(recorded.meta) !== chain) {
    throw new InvariantBroken(`${place}: the chain is broken, its bytes should give ${chain}`);
  }
  if (recorded.event_id !== eventIdOf(chain)) {
    throw new InvariantBroken(`${place}: event id ${recorded.event_id} is not its chain's`);
  }
  return { revision: recorded.revision, chain };
}

const Meta = z.object({ chain: z.string() });

/**
 * The chain in an event's metadata, whatever white space or keys a store put around it.
 * Throws InvariantBroken when there is none.
 */
export const chainOf = (meta: string): string => decodeRecorded(Meta, meta).chain;
