import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { throwAway } from '#apps/standalone';
import { runEmbedded } from './contest.js';
import { runDistributed } from './distributed.js';
import { planOf } from './plan.js';
import { distributedTable, embeddedTable } from './tables.js';

const HELP = `npm run bench -- [--quick] [--json] [--engines embedded|distributed]

Decisions per second end to end: from the first publish until the last row is visible in the
balances. What was charged is checked before a number is printed. Then the latency of single POSTs.

  --quick    fewer and shorter rounds, under 50 s
  --json     one JSON line at the end and nothing else on standard output
  --engines  embedded (default): the ledger in this process, beside two do-it-yourself baselines on
             the same Postgres in interleaved rounds
             distributed: Kafka, a Postgres, the test double of the event store and each app as
             processes of their own, with the CPU of each. Needs Java; no baselines`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    engines: { type: 'string', default: 'embedded' },
    help: { type: 'boolean', default: false },
  },
});

/** The result and how it looks as a table. */
async function run(): Promise<readonly [object, string]> {
  const kept = await throwAway('usage-ledger-bench');
  const plan = planOf(values);
  try {
    if (values.engines === 'distributed') {
      const result = await runDistributed(plan, kept);
      return [result, distributedTable(result)];
    }
    const result = await runEmbedded(plan, kept);
    return [result, embeddedTable(result)];
  } finally {
    await kept.end();
  }
}

if (values.help) process.stdout.write(`${HELP}\n`);
else if (!['embedded', 'distributed'].includes(values.engines)) {
  process.stderr.write(`--engines is embedded or distributed, not ${values.engines}\n`);
  process.exitCode = 2;
} else {
  const [result, table] = await run();
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `\n${table}\n`);
}
