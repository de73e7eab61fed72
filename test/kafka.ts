import { connect, type Socket } from 'node:net';
import kafkajs, { type Admin, type ISocketFactory } from 'kafkajs';
import { kafkaMessageBus, createTopics, type KafkaBusOptions } from '#libs/message-bus';
import type { MessageBus } from '#libs/message-bus';
import { missingTool } from '../infra/kafka/jars.js';
import { kept } from './kept.js';

export { startKafka, type RunningKafka } from '../infra/kafka/cluster.js';

/**
 * A suite that needs a real broker. Without Java or Maven it is one line that says so, and a failure
 * in CI.
 */
export function describeKafka(name: string, body: () => void): void {
  const missing = missingTool();
  if (missing === undefined) {
    describe(name, body);
    return;
  }
  it(`${name}: needs a broker`, () => {
    if (process.env['CI'] !== undefined) throw new Error(missing);
    process.stdout.write(`not asked whether ${name}: ${missing}\n`);
  });
}

/** The broker of this test run, `host:port`; started when a test first asks. */
export const sharedKafka = async (): Promise<readonly string[]> => (await kept('kafka')).split(',');

/** kafkajs as somebody else would use it. */
export const testClient = (brokers: readonly string[]): kafkajs.Kafka =>
  new kafkajs.Kafka({
    brokers: [...brokers],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 10, initialRetryTime: 100, maxRetryTime: 1_000 },
  });

export async function withAdmin<T>(
  brokers: readonly string[],
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = testClient(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Topics as the ledger needs them. */
export const makeTopics = (
  brokers: readonly string[],
  topics: readonly string[],
  partitions: number,
  copies = 1,
): Promise<string[]> =>
  withAdmin(brokers, (admin) =>
    createTopics(
      admin,
      topics.map((topic) => ({ topic, partitions, retention_ms: 3_600_000 })),
      copies,
    ),
  );

export interface TestBus {
  readonly bus: MessageBus;
  readonly client_id: string;
  /** Errors that no restart can mend. */
  readonly fatal: Error[];
  /** Cuts every socket and lets none be opened any more, as when the process dies. */
  readonly cut: () => void;
  /** Reads nothing from the broker until the connections break, which is what the result does. */
  readonly holdAnswers: () => () => void;
  /** Reads nothing from one broker, on old and new connections, until the result is called. */
  readonly hang: (broker: string) => () => void;
}

let buses = 0;
const open: MessageBus[] = [];

/** For afterEach: a test that fails must not keep Jest from ending. */
export const closeBuses = async (): Promise<void> => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
};

/** A connection as another process would have. */
export async function connectBus(
  brokers: readonly string[],
  topics: readonly string[],
  partitions: number,
  options: Partial<KafkaBusOptions> = {},
  connection: Partial<KafkaBusOptions['connection']> = {},
): Promise<TestBus> {
  const client_id = `test-${process.pid}-${buses++}`;
  const sockets = cuttableSockets();
  const fatal: Error[] = [];
  const bus = await kafkaMessageBus({
    connection: { brokers, client_id, socket_factory: sockets.factory, ...connection },
    topics,
    partitions,
    retry: { min_ms: 10, max_ms: 50 },
    commit_interval_ms: 20,
    session_timeout_ms: 2_000,
    hand_over_ms: 2_000,
    close_timeout_ms: 5_000,
    on_fatal: (error) => fatal.push(error),
    on_error: () => {},
    ...options,
  });
  open.push(bus);
  const { cut, holdAnswers, hang } = sockets;
  return { bus, client_id, fatal, cut, holdAnswers, hang };
}

type Ways = Pick<TestBus, 'cut' | 'holdAnswers' | 'hang'>;

function cuttableSockets(): Ways & { factory: ISocketFactory } {
  const sockets = new Map<Socket, string>();
  const hanging = new Set<string>();
  let is_cut = false;
  const breakAll = () => {
    for (const socket of sockets.keys()) socket.destroy(new Error('cut'));
  };
  return {
    factory: ({ host, port, onConnect }) => {
      const socket = connect({ host, port }, onConnect);
      if (is_cut) socket.destroy(new Error('cut'));
      socket.setNoDelay(true);
      const broker = `${host}:${port}`;
      if (hanging.has(broker)) socket.pause();
      sockets.set(socket, broker);
      socket.on('close', () => sockets.delete(socket));
      return socket;
    },
    cut() {
      is_cut = true;
      breakAll();
    },
    holdAnswers() {
      for (const socket of sockets.keys()) socket.pause();
      return breakAll;
    },
    hang(broker) {
      const its = () => [...sockets].filter(([, to]) => to === broker).map(([socket]) => socket);
      hanging.add(broker);
      for (const socket of its()) socket.pause();
      return () => {
        hanging.delete(broker);
        for (const socket of its()) socket.resume();
      };
    },
  };
}

/** Takes the members of a client out of their groups, without a word to them. */
export async function evictMembers(brokers: readonly string[], client_id: string): Promise<void> {
  await withAdmin(brokers, async (admin) => {
    const { groups } = await admin.listGroups();
    const described = await admin.describeGroups(groups.map(({ groupId }) => groupId));
    for (const { groupId, members } of described.groups) {
      for (const member of members.filter(({ clientId }) => clientId === client_id))
        await leaveGroup(brokers, groupId, member.memberId);
    }
  });
}

/** Node id of the broker that leads the partition. */
export const leaderOf = (
  brokers: readonly string[],
  topic: string,
  partition: number,
): Promise<number> =>
  withAdmin(brokers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions.find(({ partitionId }) => partitionId === partition)!.leader;
  });

/** Members among whom the group has shared its partitions out; undefined while it is about to. */
export const membersOf = (brokers: readonly string[], group: string): Promise<number | undefined> =>
  withAdmin(brokers, async (admin) => {
    const { groups } = await admin.describeGroups([group]);
    const { state, members } = groups[0]!;
    return state === 'Stable' ? members.length : undefined;
  });

/** How many messages were ever published on the topic. */
export const publishedOn = (brokers: readonly string[], topic: string): Promise<number> =>
  withAdmin(brokers, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  });

/** Node id of the broker that coordinates the group. */
export const coordinatorOf = (brokers: readonly string[], group: string): Promise<number> =>
  withCluster(brokers, async (cluster) => {
    const { coordinator } = await cluster.findGroupCoordinatorMetadata({ groupId: group });
    return coordinator.nodeId;
  });

const leaveGroup = (brokers: readonly string[], group: string, member_id: string) =>
  withCluster(brokers, async (cluster) => {
    const coordinator = await cluster.findGroupCoordinator({ groupId: group });
    const { leaveGroup: leave } = coordinator as unknown as {
      leaveGroup: (request: { groupId: string; memberId: string }) => Promise<unknown>;
    };
    await leave.call(coordinator, { groupId: group, memberId: member_id });
  });

async function withCluster<T>(
  brokers: readonly string[],
  work: (cluster: kafkajs.Cluster) => Promise<T>,
): Promise<T> {
  let cluster: kafkajs.Cluster | undefined;
  testClient(brokers).consumer({
    groupId: 'never-joined',
    partitionAssigners: [
      (given) => {
        cluster = given.cluster;
        return kafkajs.PartitionAssigners.roundRobin(given);
      },
    ],
  });
  await cluster!.connect();
  await cluster!.refreshMetadata();
  try {
    return await work(cluster!);
  } finally {
    await cluster!.disconnect();
  }
}
