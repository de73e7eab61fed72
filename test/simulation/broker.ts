import {
  accountKey,
  encodeRequest,
  instantOf,
  REQUEST_TOPICS,
  TOPICS,
  type UnsentRequest,
  type PriceBookPublishRequested,
} from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import type { Command } from '../ledger/model.js';
import { requestOf } from '../ledger/history.js';
import { minutes, TENANT } from '../ledger/requests.js';

const PARTITIONS = 2;
/** Before every stamp: a request must not come from the future. */
const LONG_AGO = minutes(-1_000);

/** What a caller wants of an account ... */
export interface AccountPost {
  readonly account_id: string;
  readonly command: Command;
}
/** ... or of the price books, which the model knows nothing of. */
export type Post = AccountPost | { readonly publication: PriceBookPublishRequested };

export interface Delivered {
  readonly post: Post;
  readonly message: ReceivedMessage;
}

/** A partition of one topic. */
export interface Log {
  readonly delivered: Delivered[];
  committed: number;
}

/** The same partition of both topics, which go to one member together. */
export interface Partition {
  readonly logs: readonly Log[];
  /** Raised with every new holder: a commit under an older one is refused. */
  epoch: number;
  moved_at_ms: number;
}

/** The message bus as several processes see it. */
export interface Broker {
  readonly partitions: readonly Partition[];
  post(post: Post, stamp_ms: number): void;
  /** Messages that are posted and not committed. */
  backlog(): number;
  /** Whether all that will ever be posted is committed. */
  isDone(): boolean;
}

export function newBroker(total: number): Broker {
  const partitions = Array.from({ length: PARTITIONS }, () => ({
    logs: REQUEST_TOPICS.map(() => ({ delivered: [] as Delivered[], committed: 0 })),
    epoch: 0,
    moved_at_ms: 0,
  }));
  const logs = partitions.flatMap((partition) => partition.logs);
  let posted = 0;
  return {
    partitions,
    post(post, stamp_ms) {
      posted += 1;
      const request = 'publication' in post ? post.publication : accountRequestOf(post, posted);
      const partition = 'publication' in post ? 0 : Number(post.account_id.at(-1)) % PARTITIONS;
      const topic = request.type === 'UsageRequested' ? TOPICS.usage : TOPICS.requests;
      const { delivered } = partitions[partition]!.logs[REQUEST_TOPICS.indexOf(topic)]!;
      const message = {
        topic,
        partition,
        offset: delivered.length,
        timestamp: instantOf(stamp_ms),
        key: accountKey(TENANT, request.account_id),
        value: encodeRequest(request),
        headers: {},
      };
      delivered.push({ post, message });
    },
    backlog: () => posted - committedIn(logs),
    isDone: () => committedIn(logs) === total,
  };
}

/** Every other one leaves its time to the broker, which is another each time that it is sent. */
function accountRequestOf({ account_id, command }: AccountPost, attempt: number): UnsentRequest {
  const { occurred_at: _, ...request } = requestOf(command, attempt);
  const time = attempt % 2 === 0 ? {} : { occurred_at: LONG_AGO };
  return { ...request, account_id, ...time } as UnsentRequest;
}

const committedIn = (logs: readonly Log[]) =>
  logs.reduce((sum, { committed }) => sum + committed, 0);
