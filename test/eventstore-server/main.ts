import { Command, InvalidArgumentError } from 'commander';
import type { AppendFault } from './faults.js';
import { startEventStoreServer } from './server.js';

/** What a fault that is named on the command line does. */
const FAULTS: Readonly<Record<string, AppendFault>> = {
  no_answer: { kind: 'no_answer' },
  written_unanswered: { kind: 'written_unanswered' },
  late_answer: { kind: 'late_answer', ms: 10_000 },
  second_answer: { kind: 'second_answer', ms: 500 },
  timeout: { kind: 'timeout', written: true },
  dropped_connection: { kind: 'dropped_connection', written: true },
};

interface Chance {
  readonly fault: AppendFault;
  readonly probability: number;
}

function parseChance(text: string, earlier: readonly Chance[]): Chance[] {
  const [name = '', share] = text.split('=');
  const fault = Object.hasOwn(FAULTS, name) ? FAULTS[name] : undefined;
  const probability = Number(share);
  if (fault === undefined || !(probability > 0 && probability <= 1)) {
    throw new InvalidArgumentError(`<kind>=<probability>, kind ${Object.keys(FAULTS).join(' | ')}`);
  }
  return [...earlier, { fault, probability }];
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number');
  return Number(text);
}

const command = new Command('dev:eventstore')
  .description(
    'A test double of EventStoreDB 23.10 on 127.0.0.1. Not a database: keep nothing in it.',
  )
  .option('--port <number>', '0 takes a free one', parseCount, 2113)
  .option('--dir <path>', 'keep the events there; without it they are lost with the process')
  .option('--fault <kind=probability>', 'what befalls appends; may be repeated', parseChance, [])
  .option('--burst-limit <events>', 'drop live subscriptions on larger commits', parseCount)
  .option('--index-delay <ms>', 'show and answer events so long after they are written', parseCount)
  .parse();

const options = command.opts<{
  port: number;
  dir?: string;
  fault: Chance[];
  burstLimit?: number;
  indexDelay?: number;
}>();

const server = await startEventStoreServer({
  port: options.port,
  ...(options.dir === undefined ? {} : { dir: options.dir }),
  ...(options.indexDelay === undefined ? {} : { index_delay_ms: options.indexDelay }),
});
for (const { fault, probability } of options.fault) server.faults.chance(fault, probability);
server.faults.burst_limit = options.burstLimit;
process.stdout.write(`EventStoreDB test double, listening on ${server.url}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void server.stop().then(() => process.exit(0)));
}
