import { Command } from 'commander';
import type { Admin } from 'kafkajs';
import {
  createTopics,
  ledgerTopics,
  topicFaults,
  TopicsRefused,
  withAdmin,
} from '#libs/message-bus';
import { parseConfiguration, PARTITION_COUNTS } from '#libs/platform';

type Partitions = (typeof PARTITION_COUNTS)[number];

interface Options {
  readonly brokers?: string;
  readonly partitions?: string;
}

/** From the variables that the services read too, so that both see one cluster in one way. */
function configurationOf(options: Options) {
  const { brokers = process.env['KAFKA_BROKERS'], partitions } = options;
  const kafka = Object.entries(process.env).filter(([name]) => /^KAFKA_|^PARTITIONS$/.test(name));
  return parseConfiguration({
    ...Object.fromEntries(kafka),
    ...(brokers !== undefined && { KAFKA_BROKERS: brokers }),
    ...(partitions !== undefined && { PARTITIONS: partitions }),
    EVENTSTORE_URL: 'embedded',
    POSTGRES_URL: 'embedded',
  });
}

async function onCluster(
  options: Options,
  work: (admin: Admin, partitions: Partitions) => Promise<void>,
) {
  const { message_bus, partitions } = configurationOf(options);
  if (message_bus.kind !== 'kafka') throw new Error('name the cluster: --brokers host:port,…');
  await withAdmin({ ...message_bus, client_id: 'topics' }, (admin) => work(admin, partitions));
}

async function create(options: Options & { replicationFactor: string }): Promise<void> {
  const copies = Number(options.replicationFactor);
  if (!Number.isInteger(copies) || copies < 1 || copies > 7)
    throw new Error('--replication-factor must be a number from 1 to 7');
  await onCluster(options, async (admin, partitions) => {
    const made = await createTopics(admin, ledgerTopics(partitions), copies);
    process.stdout.write(made.map((topic) => `created ${topic}\n`).join(''));
    await check(admin, partitions);
  });
}

async function check(admin: Admin, partitions: Partitions): Promise<void> {
  const faults = await topicFaults(admin, ledgerTopics(partitions));
  process.stdout.write(
    faults.map((fault) => `${fault}\n`).join('') || 'all topics are as planned\n',
  );
  if (faults.length > 0) process.exitCode = 1;
}

const program = new Command('topics').description(
  'The topics of the ledger. Logins and TLS come from the KAFKA_* variables.',
);
const subcommand = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .option('--brokers <list>', 'host:port, several separated by commas (default: KAFKA_BROKERS)')
    .option(
      `--partitions <${PARTITION_COUNTS.join('|')}>`,
      'of every topic, fixed for life (default: PARTITIONS, or 16)',
    );

subcommand('create', 'make the topics that are missing, then check all')
  .option('--replication-factor <count>', 'copies of each partition', '3')
  .action(create);
subcommand('check', 'name everything that is not as planned; exit code 1 when something is').action(
  (options: Options) => onCluster(options, check),
);

const OTHER_LOGIN = 'KAFKA_SASL_USERNAME: only an administrator of the cluster may make topics';
const REMEDIES = new Map([
  [
    'INVALID_REPLICATION_FACTOR',
    '--replication-factor: at most as many as the cluster has brokers',
  ],
  ['CLUSTER_AUTHORIZATION_FAILED', OTHER_LOGIN],
  ['TOPIC_AUTHORIZATION_FAILED', OTHER_LOGIN],
]);

/** The options and variables to change, each once. */
const remediesFor = (error: Error): string[] => {
  const types = error instanceof TopicsRefused ? error.refusals.map(({ type }) => type) : [];
  return [...new Set(types.flatMap((type) => REMEDIES.get(type) ?? []))];
};

program.parseAsync().catch((error: Error) => {
  process.stderr.write([error.message, ...remediesFor(error), ''].join('\n'));
  process.exitCode = 1;
});
