import type { Decision, InvariantBroken } from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import type { AccountToPark, Answers, Questions } from '#libs/read-models';
import type { IncomingRequest } from './incoming-requests.js';

/** What the writer needs of the read models: index and snapshots, parked accounts, what was set aside. */
export interface ReadSide {
  /** One consistent view: all answers are of the same moment. */
  lookUp(questions: Questions): Promise<Answers>;
  /** Those that somebody has set aside, as it is known when it resolves. */
  setAsideAmong(messages: readonly ReceivedMessage[]): Promise<ReadonlySet<ReceivedMessage>>;
  /** Durable when it resolves; parking twice is harmless. */
  park(account: AccountToPark): Promise<void>;
}

/** The original decisions that the read side has for the requests of a batch, or why one is unreadable. */
export type Index = Map<IncomingRequest, Decision | InvariantBroken>;
