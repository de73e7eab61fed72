import {
  accountKeyOfStream,
  decodeAccountEvent,
  followLink,
  GENESIS,
  idsOfKey,
  InvariantBroken,
  type AccountEvent,
  type Balance,
  type StreamHead,
} from '#libs/contracts';
import type { EventReader, RecordedEvent } from '#libs/event-store';
import { balanceOf, evolve, initialAccount, type Account } from '#libs/ledger';

/** An event of an account's stream, and what it did to the account. */
interface FoldedEvent {
  readonly recorded: RecordedEvent;
  readonly event: AccountEvent;
  /** The stream up to here. */
  readonly head: StreamHead;
  readonly before: Balance;
  /** After the event; the same object for every event of a stream. */
  readonly account: Account;
}

/**
 * Folds an account's stream event by event. Throws InvariantBroken, naming stream and revision, for a
 * gap, a broken chain, and an event that cannot be read or contradicts the account.
 */
export async function* foldStream(
  store: Pick<EventReader, 'readStream'>,
  stream: string,
  signal?: AbortSignal,
): AsyncGenerator<FoldedEvent> {
  const account = initialAccount(...idsOfKey(accountKeyOfStream(stream)));
  let head = GENESIS;
  for await (const page of store.readStream(stream, signal && { signal })) {
    for (const recorded of page) {
      const before = balanceOf(account);
      head = followLink(head, recorded);
      const event = applyRecorded(account, recorded);
      yield { recorded, event, head, before, account };
    }
  }
}

function applyRecorded(account: Account, recorded: RecordedEvent): AccountEvent {
  try {
    const event = decodeAccountEvent(recorded.data);
    evolve(account, event);
    return event;
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    throw new InvariantBroken(
      `${recorded.stream} at revision ${recorded.revision}: ${error.message}`,
    );
  }
}
