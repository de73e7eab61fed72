import type { Decision, InvariantBroken } from '#libs/contracts';
import type { AccountToPark, Answers, Questions } from '#libs/read-models';
import type { IncomingRequest } from './incoming-requests.js';

/** What the writer needs of the read models: index and snapshots, and where to park an account. */
export interface ReadSide {
  /** One consistent view: all answers are of the same moment. */
  lookUp(questions: Questions): Promise<Answers>;
  /** Durable when it resolves; parking twice is harmless. */
  park(account: AccountToPark): Promise<void>;
}

/** The original decisions that the read side has for the requests of a batch, or why one is unreadable. */
export type Index = Map<IncomingRequest, Decision | InvariantBroken>;
