// The parts of kafkajs 2.2.4 that it exports no types for, as far as they are used here. The version
// is pinned; client-patches.ts refuses to start when one of them is gone.

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    /** ms since 1970; -1 when the broker never asked for a pause. */
    readonly throttledUntil: number;
    scheduleCheckPendingRequests: () => void;
    createSocketRequest: (
      pushed: object,
    ) => import('kafkajs/src/network/requestQueue/socketRequest.js').default;
  }
}

declare module 'kafkajs/src/network/requestQueue/socketRequest.js' {
  export default class SocketRequest {
    constructor(options: object);
    /** null until it is answered or has failed. */
    readonly duration: number | null;
    send(): void;
    completed(answer: { readonly size: number; readonly payload: unknown }): void;
    timeoutRequest: () => void;
  }
}

declare module 'kafkajs/src/network/connection.js' {
  export default class Connection {
    constructor(options: object);
    /** The last that was opened; undefined before the first. */
    readonly socket?: import('node:net').Socket;
    readonly requestQueue: import('kafkajs/src/network/requestQueue/index.js').default;
    /** What has come of an answer that is not complete. */
    chunks: readonly Buffer[];
    bytesBuffered: number;
    /** 4 while it waits for the length of an answer. */
    bytesNeeded: number;
    isConnected(): boolean;
    connect: () => Promise<boolean>;
    disconnect(): Promise<boolean>;
    send(request: object): Promise<unknown>;
  }
}

declare module 'kafkajs/src/cluster/brokerPool.js' {
  export default class BrokerPool {
    readonly brokers: Readonly<Record<string, PooledBroker>>;
    /** Asked first; kafkajs assumes that there is one. */
    seedBroker: PooledBroker | undefined;
    /** ms since 1970; null makes the next look ask anew. */
    metadataExpireAt: number | null;
    createSeedBroker: () => Promise<void>;
    connectBroker: (broker: PooledBroker) => Promise<void>;
    findBroker(node: { nodeId: string }): Promise<PooledBroker>;
    findConnectedBroker: () => Promise<PooledBroker>;
    withBroker: <T>(
      work: (one: { nodeId: string; broker: PooledBroker }) => Promise<T>,
    ) => Promise<T | null>;
    refreshMetadata: (topics: readonly string[]) => Promise<void>;
    removeBroker: (address: { readonly host: string; readonly port: number }) => void;
  }

  export type PooledBroker = import('kafkajs').Broker & {
    readonly nodeId: number;
    readonly connectionPool: {
      readonly host: string;
      readonly port: number;
      readonly pool: readonly {
        readonly requestTimeout: number;
        readonly requestQueue: {
          /** What is not answered yet; when it was sent, in ms since 1970. */
          readonly inflight: ReadonlyMap<number, { readonly sentAt: number | null }>;
        };
      }[];
    };
  };
}

declare module 'kafkajs/src/cluster/index.js' {
  type View = import('kafkajs').Cluster;
  type Asked = Parameters<View['fetchTopicsOffset']>[0];

  export default class Cluster {
    findTopicPartitionMetadata: View['findTopicPartitionMetadata'];
    fetchTopicsOffset: (topics: Asked) => Promise<LogOffsets[]>;
  }

  export interface LogOffsets {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      /** null since leaderless.ts: nobody leads the partition. */
      readonly offset: string | null;
    }[];
  }
}

declare module 'kafkajs/src/network/socketFactory.js' {
  /** What kafkajs opens sockets with unless it is told otherwise. */
  const socketFactory: () => import('kafkajs').ISocketFactory;
  export default socketFactory;
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type { Assigner } from 'kafkajs';

  export default class ConsumerGroup {
    constructor(options: object);
    readonly assigners: readonly Assigner[];
    readonly cluster: import('kafkajs').Cluster & {
      readonly brokerPool: import('kafkajs/src/cluster/brokerPool.js').default;
    };
    /** null before the first join. */
    coordinator: import('kafkajs').Broker | null;
    readonly sessionTimeout: number;
    readonly offsetManager: { nextOffset(topic: string, partition: number): unknown };
    /** null when the coordinator does not know this member (any more). */
    readonly memberId: string | null;
    assigned(): { readonly topic: string; readonly partitions: readonly number[] }[];
    heartbeat: (options: { interval: number }) => Promise<void>;
    commitOffsets(offsets: import('kafkajs').OffsetsByTopicPartition): Promise<void>;
    leave: () => Promise<void>;
    joinAndSync: () => Promise<void>;
    fetch: (nodeId: string) => Promise<import('kafkajs/src/consumer/batch.js').default[]>;
    recoverFromFetch: (error: Error) => Promise<void>;
    recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
  }
}

declare module 'kafkajs/src/consumer/batch.js' {
  import type { Batch, KafkaMessage } from 'kafkajs';

  /** Leaves out control records and what an aborted transaction wrote. */
  interface BatchOf extends Batch {
    /** It held something, and none of it was a message to read. */
    isEmptyDueToFiltering(): boolean;
  }
  const BatchOf: {
    readonly prototype: BatchOf;
    new (
      topic: string,
      fetchedOffset: string,
      partitionData: {
        readonly partition: number;
        readonly highWatermark: string;
        readonly messages: readonly KafkaMessage[];
        readonly abortedTransactions: readonly unknown[];
      },
    ): BatchOf;
  };
  export default BatchOf;
}

declare module 'kafkajs/src/protocol/requests/produce/v7/response.js' {
  const response: { parse: (answer: ProduceAnswer) => Promise<ProduceAnswer> };
  export default response;

  export interface ProduceAnswer {
    readonly topics: readonly {
      readonly topicName: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly errorCode: number;
        readonly baseOffset: string;
      }[];
    }[];
  }
}

declare module 'kafkajs/src/protocol/requests/metadata/v6/response.js' {
  const response: { parse: (answer: MetadataAnswer) => Promise<MetadataAnswer> };
  export default response;

  export interface MetadataAnswer {
    readonly topicMetadata: readonly {
      readonly topicErrorCode: number;
      readonly topic: string;
      readonly partitionMetadata: readonly {
        readonly partitionErrorCode: number;
        readonly partitionId: number;
        /** -1 when there is none. */
        readonly leader: number;
      }[];
    }[];
  }
}

declare module 'kafkajs/src/protocol/error.js' {
  const errors: {
    readonly createErrorFromCode: (code: number) => import('kafkajs').KafkaJSProtocolError;
  };
  export default errors;
}

declare module 'kafkajs/src/broker/index.js' {
  export default class Broker {
    constructor(options: object);
    readonly brokerAddress: string;
    /** Which versions of which requests it knows; the first thing that is asked on a new connection. */
    apiVersions: () => Promise<object>;
    isConnected(): boolean;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
  }
}

declare module 'kafkajs/src/consumer/runner.js' {
  export default class Runner {
    running: boolean;
    fetch: (node_id: string) => Promise<unknown[]>;
  }
}

declare module 'kafkajs/src/consumer/fetchManager.js' {
  export default function createFetchManager(options: {
    readonly logger: object;
    readonly getNodeIds: () => readonly string[];
    readonly fetch: (node_id: string) => Promise<unknown[]>;
    readonly handler: (batch: unknown) => Promise<void>;
  }): { start(): Promise<void> };
}
