import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { java, log4j } from './jars.js';

export interface Node {
  /** Counts from 1. */
  readonly node_id: number;
  readonly port: number;
  readonly controller_port: number;
  /** Holds settings, log, pid and data of this node. */
  readonly folder: string;
}

export interface Cluster {
  readonly cluster_id: string;
  readonly nodes: readonly Node[];
}

/** `owned` nodes die with the process that started them, however it ends; `detached` ones stay. */
type Lifetime = 'owned' | 'detached';

const settingsFile = (node: Node) => join(node.folder, 'server.properties');
const pidFile = (node: Node) => join(node.folder, 'pid');
export const logFile = (node: Node): string => join(node.folder, 'server.log');
export const addressOf = (node: Node): string => `127.0.0.1:${node.port}`;

function settings(cluster: Cluster, node: Node): string {
  const voter = (other: Node) => `${other.node_id}@127.0.0.1:${other.controller_port}`;
  const replicas = cluster.nodes.length;
  const in_sync = replicas > 2 ? 2 : 1;
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': node.node_id,
    'controller.quorum.voters': cluster.nodes.map(voter).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: `PLAINTEXT://${addressOf(node)},CONTROLLER://127.0.0.1:${node.controller_port}`,
    'advertised.listeners': `PLAINTEXT://${addressOf(node)}`,
    'log.dirs': join(node.folder, 'data'),
    // A topic made by a typing error would have the wrong partitions and timestamps.
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': in_sync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': in_sync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': in_sync,
    // What follows makes a small cluster start, rebalance and fail over quickly.
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3000,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Writes the node's settings and, the first time, formats its data folder. */
export async function prepareNode(cluster: Cluster, node: Node, jars: string): Promise<void> {
  await mkdir(node.folder, { recursive: true });
  await writeFile(settingsFile(node), settings(cluster, node));
  if (existsSync(join(node.folder, 'data', 'meta.properties'))) return;

  // With =, since a random id may begin with a dash.
  const id = `--cluster-id=${cluster.cluster_id}`;
  const format = ['format', id, '--config', settingsFile(node)];
  const log = `-Dlog4j2.configurationFile=${log4j}`;
  await promisify(execFile)(java, [log, '-cp', jars, 'kafka.tools.StorageTool', ...format]);
}

// The owner holds the other end of stdin. When it is gone, broker and data go too; a word that it
// leaves behind keeps the data, for a node that will start again.
const owned = `"$@" & echo $! > "$PID"
read -r word; kill -9 $!
[ "$word" = keep ] || { rm -rf "$FOLDER"; rmdir "$(dirname "$FOLDER")"; }`;
const detached = 'echo $$ > "$PID"; exec "$@"';

// One compiler tier starts twice as fast; a broker that lives for seconds never needs the other.
const jvms = {
  quick_start: ['-Xmx256m', '-XX:TieredStopAtLevel=1'],
  full_speed: ['-Xmx512m'],
} as const;
export type Jvm = keyof typeof jvms;

/** Returns what ends an owned node like kill -9 would; a detached one is ended by its pid. */
export async function launchNode(node: Node, jars: string, lifetime: Lifetime, jvm: Jvm) {
  await rm(pidFile(node), { force: true });
  const program = ['-cp', jars, 'kafka.Kafka', settingsFile(node)];
  const command = [
    java,
    '-XX:+UseSerialGC',
    ...jvms[jvm],
    `-Dlog4j2.configurationFile=${log4j}`,
    ...program,
  ];
  const script = `{ ${lifetime === 'owned' ? owned : detached}; } >> "$LOG" 2>&1`;
  const shell = spawn('/bin/sh', ['-c', script, 'kafka', ...command], {
    detached: lifetime === 'detached',
    stdio: [lifetime === 'owned' ? 'pipe' : 'ignore', 'ignore', 'ignore'],
    env: { ...process.env, PID: pidFile(node), LOG: logFile(node), FOLDER: node.folder },
  });
  shell.unref();
  (shell.stdin as Socket | null)?.unref();
  while (pidOf(node) === undefined) await sleep(5);
  return async () => {
    shell.stdin?.end('keep\n');
    while (pidOf(node) !== undefined) await sleep(5);
  };
}

/** The pid of the node's broker while it runs. */
export function pidOf(node: Node): number | undefined {
  if (!existsSync(pidFile(node))) return undefined;
  const pid = Number.parseInt(readFileSync(pidFile(node), 'utf8'), 10);
  return Number.isInteger(pid) && isBroker(pid) ? pid : undefined;
}

/** A pid file outlives a reboot; the pid in it may be somebody else's by then. */
function isBroker(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const command = `/proc/${pid}/cmdline`;
  return !existsSync(command) || readFileSync(command, 'utf8').includes('kafka');
}

/** Asks the broker to leave in order, waits until it is gone, and kills it after the patience. */
export async function endNode(node: Node, patience_ms = 20_000): Promise<void> {
  const pid = pidOf(node);
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  for (const until = Date.now() + patience_ms; pidOf(node) !== undefined; await sleep(20)) {
    if (Date.now() > until) process.kill(pid, 'SIGKILL');
  }
}

/** The last lines that the node wrote, for an error message. */
export async function tailOfLog(node: Node): Promise<string> {
  if (!existsSync(logFile(node))) return '';
  return (await readFile(logFile(node), 'utf8')).split('\n').slice(-15).join('\n');
}
