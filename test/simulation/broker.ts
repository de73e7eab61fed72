import {
  accountKey,
  encodeRequest,
  TOPICS,
  type AccountRequest,
  type Instant,
} from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import type { Sent } from '../ledger/commands.js';
import { requestOf } from '../ledger/history.js';
import { minutes, TENANT } from '../ledger/requests.js';

export const PARTITIONS = 2;
/** Before every stamp: a request must not come from the future. */
const LONG_AGO = minutes(-1_000);

/** One caller's command on its way: whose account, what, and the broker's stamp. */
export interface Posted extends Sent {
  readonly account_id: string;
}

export interface Delivered {
  readonly posted: Posted;
  readonly message: ReceivedMessage;
}

/** A partition of the requests' topic and who may commit on it. */
export interface Partition {
  readonly log: Delivered[];
  committed: number;
  /** Raised with every new holder: a commit under an older one is refused. */
  epoch: number;
}

/** The message bus as several processes see it. */
export interface Broker {
  readonly partitions: readonly Partition[];
  post(posted: Posted): void;
  /** Whether all that will ever be posted is committed. */
  isDone(): boolean;
}

export function newBroker(total: number): Broker {
  const partitions = Array.from({ length: PARTITIONS }, () => ({
    log: [] as Delivered[],
    committed: 0,
    epoch: 0,
  }));
  return {
    partitions,
    post(posted) {
      const partition = Number(posted.account_id.at(-1)) % PARTITIONS;
      const { log } = partitions[partition]!;
      log.push({ posted, message: messageOf(posted, partition, log.length) });
    },
    isDone: () => partitions.reduce((sum, { committed }) => sum + committed, 0) === total,
  };
}

function messageOf(posted: Posted, partition: number, offset: number): ReceivedMessage {
  const { account_id, command, stamp } = posted;
  const request = { ...requestOf(command, offset), account_id, occurred_at: LONG_AGO };
  return {
    topic: TOPICS.requests,
    partition,
    offset,
    timestamp: stamp as Instant,
    key: accountKey(TENANT, account_id),
    value: encodeRequest(request as AccountRequest),
    headers: {},
  };
}
