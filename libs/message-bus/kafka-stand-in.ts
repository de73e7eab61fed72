import { EventEmitter } from 'node:events';
import kafkajs, {
  type Batch,
  type ConsumerConfig,
  type ConsumerRunConfig,
  type EachBatchPayload,
  type Kafka,
} from 'kafkajs';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';

const logger = { debug() {}, warn() {}, error() {}, info() {} };

/** A consumer of the stand-in client, under the group protocol of kafkajs itself. */
export interface StandIn {
  readonly group: ConsumerGroup;
  /** Fetches these offsets; `meanwhile` passes before the broker answers. */
  fetched(offsets: readonly number[], meanwhile?: () => Promise<void>): Promise<Batch>;
  /** Hands a batch over as kafkajs does; resolves with the offset that was resolved. */
  deliver(batch: Batch): Promise<string | undefined>;
  /** Partitions of the topic that are not fetched. */
  paused(): readonly number[];
  emit(event: string, payload: object): void;
  /** Leaves the group, as kafkajs does before it tells of a crash. */
  stop(): void;
  /** How often the broker was told that the member leaves. */
  leaves(): number;
  disconnected(): boolean;
}

export interface StandInOptions {
  readonly topic: string;
  readonly partitions: readonly number[];
  /** Before a join is answered. */
  readonly joining?: () => Promise<void>;
  /** Before a heartbeat is answered. */
  readonly heartbeating?: () => Promise<void>;
  /** Before the connections are closed. */
  readonly disconnecting?: () => Promise<void>;
}

/** kafkajs without a network: one topic, one member, which is not the leader and keeps its generation. */
export function standInClient(options: StandInOptions) {
  const incarnations: StandIn[] = [];
  const client = {
    consumer(config: ConsumerConfig) {
      const { consumer, stand_in } = standInConsumer(options, config);
      incarnations.push(stand_in);
      return consumer;
    },
  } as unknown as Kafka;
  return { client, incarnations };
}

function standInConsumer(options: StandInOptions, config: ConsumerConfig) {
  const { topic, partitions, joining, heartbeating, disconnecting } = options;
  const events = new EventEmitter();
  const paused = new Set<number>();
  let handler: ConsumerRunConfig['eachBatch'];
  let answer: ((offsets: readonly number[]) => void) | undefined;
  let leaves = 0;
  let stopped = false;
  let disconnected = false;

  const broker = {
    isConnected: () => true,
    nodeId: 1,
    joinGroup: async () => {
      await joining?.();
      return { generationId: 1, memberId: 'm', leaderId: 'other', members: [] };
    },
    syncGroup: async () => ({
      memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
        version: 0,
        assignment: { [topic]: [...partitions] },
        userData: Buffer.alloc(0),
      }),
    }),
    leaveGroup: async () => void leaves++,
    heartbeat: async () => heartbeating?.(),
    offsetCommit: async () => {},
    offsetFetch: async () => ({
      responses: [
        { topic, partitions: partitions.map((partition) => ({ partition, offset: '0' })) },
      ],
    }),
    fetch: () =>
      new Promise((resolve) => {
        answer = (offsets) => {
          const messages = offsets.map(recordAt);
          const found = { partition: partitions[0], highWatermark: '99', abortedTransactions: [] };
          resolve({ responses: [{ topicName: topic, partitions: [{ ...found, messages }] }] });
        };
      }),
  };
  const cluster = {
    brokerPool: { brokers: { 1: broker } },
    findGroupCoordinator: async () => broker,
    findBroker: async () => broker,
    refreshMetadataIfNecessary: async () => {},
    committedOffsets: () => ({}),
    findTopicPartitionMetadata: () => partitions.map((partitionId) => ({ partitionId, leader: 1 })),
  };
  const group = new ConsumerGroup({
    groupId: config.groupId,
    topics: [topic],
    topicConfigurations: { [topic]: { fromBeginning: true } },
    logger: { namespace: () => logger },
    instrumentationEmitter: { emit() {} },
    assigners: config.partitionAssigners!.map((assigner) =>
      assigner({ cluster: cluster as never, groupId: config.groupId, logger: logger as never }),
    ),
    retry: { retries: 0 },
    cluster,
    sessionTimeout: config.sessionTimeout ?? 30_000,
  });

  const consumer = {
    on: (event: string, listener: (event: object) => void) => events.on(event, listener),
    connect: async () => {},
    subscribe: async () => {},
    async run({ eachBatch }: ConsumerRunConfig) {
      handler = eachBatch;
      await group.joinAndSync();
    },
    pause: (wanted: readonly { partitions: readonly number[] }[]) => {
      for (const one of wanted) for (const partition of one.partitions) paused.add(partition);
    },
    resume: (wanted: readonly { partitions?: readonly number[] }[]) => {
      if (stopped) throw new Error('Consumer group was not initialized');
      for (const { partitions: some = partitions } of wanted)
        for (const partition of some) paused.delete(partition);
    },
    async disconnect() {
      await disconnecting?.();
      disconnected = true;
    },
  };
  const stand_in: StandIn = {
    group,
    async fetched(offsets, meanwhile) {
      const fetching = group.fetch('1');
      while (answer === undefined) await new Promise((resolve) => setImmediate(resolve));
      await meanwhile?.();
      answer(offsets);
      answer = undefined;
      return (await fetching)[0]!;
    },
    async deliver(batch) {
      let resolved: string | undefined;
      const resolveOffset = (offset: string) => (resolved = offset);
      await handler!({ batch, resolveOffset } as unknown as EachBatchPayload);
      return resolved;
    },
    paused: () => [...paused],
    emit: (event, payload) => void events.emit(event, { payload }),
    stop() {
      stopped = true;
      events.emit('consumer.stop', {});
    },
    leaves: () => leaves,
    disconnected: () => disconnected,
  };
  return { consumer, stand_in };
}

const recordAt = (offset: number) => ({
  offset: String(offset),
  key: Buffer.from('k'),
  value: Buffer.from(`v${offset}`),
  headers: {},
  timestamp: '0',
  isControlRecord: false,
  batchContext: { timestampType: 1 },
});
