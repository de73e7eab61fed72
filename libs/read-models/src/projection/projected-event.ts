import {
  accountKey,
  accountKeyOfStream,
  decodeAccountEvent,
  InvariantBroken,
  type AccountEvent,
  type LinkedEvent,
} from '#libs/contracts';

/** An event as an event store hands it over. */
export interface StoredEvent extends LinkedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: string;
}

/**
 * What was recorded, read strictly: an unknown type, a field too many, another account's event on this
 * stream. Throws InvariantBroken for each of them; nothing is skipped.
 */
export function readStoredEvent(stored: StoredEvent): AccountEvent {
  const event = decodeAccountEvent(stored.data);
  if (event.type !== stored.type) {
    throw new InvariantBroken(`its type is ${stored.type}, its data say ${event.type}`);
  }
  if (accountKey(event.tenant_id, event.account_id) !== accountKeyOfStream(stored.stream)) {
    throw new InvariantBroken(`its data are of ${event.tenant_id}/${event.account_id}`);
  }
  return event;
}

/** Whatever goes wrong in reading or folding an event would go wrong again: it stops the reader. */
export function brokenAt(stored: StoredEvent, error: unknown): InvariantBroken {
  const place = `${stored.stream} at revision ${stored.revision}`;
  const message = error instanceof Error ? error.message : String(error);
  return new InvariantBroken(message.startsWith(place) ? message : `${place}: ${message}`, {
    cause: error,
  });
}
