import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaClassPath } from './jars.js';
import {
  addressOf,
  launchNode,
  pidOf,
  prepareNode,
  tailOfLog,
  type Cluster,
  type Jvm,
  type Node,
} from './node.js';

export type NodeCount = 1 | 3;

export interface RunningKafka {
  /** `127.0.0.1:port` of every node, in order of node id. */
  readonly brokers: readonly string[];
  /** Of the broker's process, while it runs. Node ids count from 1. */
  readonly pid: (node_id: number) => number | undefined;
  /** kill -9; resolves when the process is gone. */
  readonly kill: (node_id: number) => Promise<void>;
  /** Starts a killed node again; resolves when it answers. */
  readonly start: (node_id: number) => Promise<void>;
  /** Ends every node and deletes the data. */
  readonly stop: () => Promise<void>;
}

/** A throw-away cluster on free ports; it dies with this process, however that ends. */
export async function startKafka(options: {
  readonly nodes: NodeCount;
  readonly jvm?: Jvm;
}): Promise<RunningKafka> {
  const { jvm = 'quick_start' } = options;
  const jars = await kafkaClassPath();
  const dir = await mkdtemp(join(tmpdir(), 'usage-ledger-kafka-'));
  const ports = await freePorts(options.nodes * 2);
  const cluster = planCluster(dir, ports.slice(0, options.nodes), ports.slice(options.nodes));
  const kills = new Map<number, () => Promise<void>>();
  const kill = async (node_id: number) => {
    await kills.get(node_id)?.();
    kills.delete(node_id);
  };
  const start = async (node: Node) => {
    await prepareNode(cluster, node, jars);
    kills.set(node.node_id, await launchNode(node, jars, 'owned', jvm));
  };
  const stop = async () => {
    await Promise.all([...kills.keys()].map(kill));
    await rm(dir, { recursive: true, force: true });
  };

  try {
    await Promise.all(cluster.nodes.map(start));
    await untilReady(cluster);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: cluster.nodes.map(addressOf),
    pid: (node_id) => pidOf(cluster.nodes[node_id - 1]!),
    kill,
    start: async (node_id) => {
      await start(cluster.nodes[node_id - 1]!);
      await untilReady(cluster);
    },
    stop,
  };
}

export function planCluster(
  dir: string,
  ports: readonly number[],
  controller_ports: readonly number[],
): Cluster {
  const nodes = ports.map((port, index) => ({
    node_id: index + 1,
    port,
    controller_port: controller_ports[index]!,
    folder: join(resolve(dir), `node-${index + 1}`),
  }));
  return { cluster_id: randomBytes(16).toString('base64url'), nodes };
}

/** Starts what does not run yet, to stay when this process ends, and waits for an answer. */
export async function launchCluster(cluster: Cluster, jars: string): Promise<void> {
  const down = cluster.nodes.filter((node) => pidOf(node) === undefined);
  await Promise.all(
    down.map(async (node) => {
      await prepareNode(cluster, node, jars);
      await launchNode(node, jars, 'detached', 'full_speed');
    }),
  );
  await untilReady(cluster);
}

const patience_ms = 90_000;

/** Ready = every node is in the cluster and a group's offsets can be read: then groups can work. */
async function untilReady(cluster: Cluster): Promise<void> {
  const until = Date.now() + patience_ms;
  for (;;) {
    const fault = await whyNotReady(cluster);
    if (fault === undefined) return;
    const ended = cluster.nodes.find((node) => pidOf(node) === undefined);
    if (ended !== undefined)
      throw new Error(`Kafka node ${ended.node_id} ended\n${await tailOfLog(ended)}`);
    if (Date.now() > until) throw new Error(`Kafka is not ready after ${patience_ms} ms: ${fault}`);
    await sleep(100);
  }
}

/** Why the cluster does not answer for a group yet; undefined when it does. */
export async function whyNotReady({ nodes }: Cluster): Promise<string | undefined> {
  const faults = await Promise.all(nodes.map((node) => whyNotAnswering(node, nodes.length)));
  return faults.find((fault) => fault !== undefined);
}

async function whyNotAnswering(node: Node, nodes: number): Promise<string | undefined> {
  const admin = new Kafka({
    brokers: [addressOf(node)],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length < nodes) return `${brokers.length} of ${nodes} nodes are there`;
    await admin.listTopics(); // fetchOffsets finds no broker before some metadata is loaded
    await admin.fetchOffsets({ groupId: 'readiness' });
    return undefined;
  } catch (error) {
    return `${addressOf(node)}: ${(error as Error).message}`;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done, failed) => {
          server.once('error', failed);
          server.listen(0, '127.0.0.1', () => done((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

const planFile = (dir: string) => join(dir, 'cluster.json');

/** The cluster whose data lies in the folder; undefined when there is none. */
export async function readCluster(dir: string): Promise<Cluster | undefined> {
  if (!existsSync(planFile(dir))) return undefined;
  return JSON.parse(await readFile(planFile(dir), 'utf8')) as Cluster;
}

export async function writeCluster(dir: string, cluster: Cluster): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(planFile(dir), `${JSON.stringify(cluster, undefined, 2)}\n`);
}
