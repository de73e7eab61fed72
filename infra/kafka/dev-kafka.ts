import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  launchCluster,
  planCluster,
  readCluster,
  whyNotReady,
  writeCluster,
  type NodeCount,
} from './cluster.js';
import { kafkaClassPath } from './jars.js';
import { addressOf, endNode, logFile, pidOf, type Cluster } from './node.js';

const default_port = 9092;

const parsePort = (text: string): number => {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1024 || port > 65_000)
    throw new InvalidArgumentError('must be a number from 1024 to 65000');
  return port;
};

const parseNodes = (text: string): NodeCount => {
  if (text === '1') return 1;
  if (text === '3') return 3;
  throw new InvalidArgumentError('must be 1 or 3');
};

/** Brokers on port, port + 1, …; controllers a hundred above. */
function layOut(dir: string, nodes: NodeCount, port: number): Cluster {
  const ports = Array.from({ length: nodes }, (_, index) => port + index);
  return planCluster(
    dir,
    ports,
    ports.map((broker) => broker + 100),
  );
}

async function up(options: { nodes?: NodeCount; port?: number; dir: string }): Promise<void> {
  const dir = resolve(options.dir);
  const found = await readCluster(dir);
  const cluster = found ?? layOut(dir, options.nodes ?? 1, options.port ?? default_port);
  const { nodes } = cluster;
  if (options.nodes !== undefined && nodes.length !== options.nodes)
    throw new Error(`${dir} holds ${nodes.length} node(s): choose another --dir, or down --delete`);
  if (options.port !== undefined && nodes[0]?.port !== options.port)
    throw new Error(`${dir} listens on ${nodes[0]?.port}: choose another --dir, or down --delete`);

  const jars = await kafkaClassPath();
  await writeCluster(dir, cluster);
  await launchCluster(cluster, jars);
  process.stdout.write(`export KAFKA_BROKERS=${nodes.map(addressOf).join(',')}\n`);
}

async function down(options: { dir: string; delete?: boolean }): Promise<void> {
  const dir = resolve(options.dir);
  const cluster = await readCluster(dir);
  if (cluster === undefined) return;
  await Promise.all(cluster.nodes.map((node) => endNode(node)));
  if (options.delete === true) await rm(dir, { recursive: true, force: true });
}

async function status(options: { dir: string }): Promise<void> {
  const cluster = await readCluster(resolve(options.dir));
  if (cluster === undefined) throw new Error(`no cluster in ${resolve(options.dir)}`);
  for (const node of cluster.nodes) {
    const pid = pidOf(node);
    const state = pid === undefined ? 'down' : `pid ${pid}`;
    process.stdout.write(`node ${node.node_id}  ${addressOf(node)}  ${state}  ${logFile(node)}\n`);
  }
  const fault = await whyNotReady(cluster);
  process.stdout.write(fault === undefined ? 'ready\n' : `not ready: ${fault}\n`);
  if (fault !== undefined) process.exitCode = 1;
}

const program = new Command('dev:kafka').description(
  'A real Kafka on loopback for development: one or three KRaft nodes, run with plain java.',
);
const dir = () => new Option('--dir <folder>', 'settings, logs and data').default('.data/kafka');

program
  .command('up')
  .description('start it (again); prints the KAFKA_BROKERS to export')
  .option(
    '--nodes <1|3>',
    'three nodes keep three copies, two must be in sync (default: 1)',
    parseNodes,
  )
  .option('--port <number>', `port of the first broker (default: ${default_port})`, parsePort)
  .addOption(dir())
  .action(up);

program
  .command('down')
  .description('stop it; the data stays')
  .option('--delete', 'delete the data too')
  .addOption(dir())
  .action(down);

program
  .command('status')
  .description('one line per node; exit code 1 when it does not answer')
  .addOption(dir())
  .action(status);

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
