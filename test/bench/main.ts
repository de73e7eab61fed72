import 'reflect-metadata';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPool } from '#libs/platform';
import { batchedBaseline, naiveBaseline, type Baseline } from './baselines.js';
import { runHttp } from './http.js';
import { startLedger, type LedgerUnderTest } from './ledger.js';
import { runScenario, type ScenarioResult, type Sizes } from './scenario.js';

const HELP = `npm run bench -- [--quick] [--json]

Decisions per second end to end (from the first publish until the last row is visible in the
balances), beside two do-it-yourself baselines on the same Postgres in interleaved rounds; the
results of all are checked before a ratio is printed. Then the latency of single POSTs.

  --quick  fewer and shorter rounds, under 50 s
  --json   one JSON line at the end and nothing else on standard output`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}

const UNIFORM = { accounts: 10_000, sizes: { naive: 10_000, batched: 50_000, ledger: 50_000 } };
const HOT = { accounts: 1, sizes: { naive: 4_000, batched: 60_000, ledger: 80_000 } };
const ROUNDS = values.quick ? 2 : 5;
const SCALE = values.quick ? 1 : 2;
const HTTP_SECONDS = values.quick ? 3 : 10;

const tell = (text: string) => void process.stderr.write(`${text}\n`);
const scaled = ({ naive, batched, ledger }: Sizes): Sizes => ({
  naive: naive * SCALE,
  batched: batched * SCALE,
  ledger: ledger * SCALE,
});

async function runAll(ledger: LedgerUnderTest, postmaster_pid: number) {
  const close: (() => Promise<unknown>)[] = [];
  const baseline = async (
    name: string,
    make: (pool: ReturnType<typeof createPool>, accounts: number) => Promise<Baseline>,
    accounts: number,
  ) => {
    const pool = await databaseOf(ledger, name);
    close.push(() => pool.end());
    return make(pool, accounts);
  };
  const scenario = async (name: string, { accounts, sizes }: typeof UNIFORM) =>
    runScenario(
      name,
      {
        naive: await baseline(`${name}_naive`, naiveBaseline, accounts),
        batched: await baseline(`${name}_batched`, batchedBaseline, accounts),
        ledger,
        postmaster_pid,
      },
      { accounts, rounds: ROUNDS, sizes: scaled(sizes) },
      tell,
    );
  try {
    tell('funding 10,000 accounts');
    await ledger.fund(UNIFORM.accounts);
    const uniform = await scenario('uniform', UNIFORM);
    const hot = await scenario('hot', HOT);
    tell('http');
    const http = await runHttp(ledger, HTTP_SECONDS);
    return { uniform, hot, http };
  } finally {
    for (const end of close) await end();
  }
}

async function databaseOf(ledger: LedgerUnderTest, name: string) {
  await ledger.engines.pool.query(`create database bench_${name}`);
  const url = new URL(ledger.engines.postgres_url);
  url.pathname = `/bench_${name}`;
  return createPool(url.href, { application_name: 'bench', max_connections: 34 });
}

function table({ uniform, hot, http }: Awaited<ReturnType<typeof runAll>>): string {
  const row = (name: string, result: ScenarioResult) =>
    [
      name.padEnd(22),
      Math.round(result.decisions_per_s).toString().padStart(8),
      `${result.ratio_diy_naive.toFixed(1)}x`.padStart(9),
      `${result.ratio_diy_batched.toFixed(2)}x`.padStart(11),
      result.cpu_us_node.toFixed(1).padStart(9),
      result.cpu_us_postgres.toFixed(1).padStart(12),
    ].join('');
  return [
    'decisions                 per s  vs naive  vs batched  node µs  postgres µs',
    row('10,000 accounts', uniform),
    row('one hot account', hot),
    `HTTP, single POSTs: capacity ${Math.round(http.capacity_per_s)}/s; ` +
      `at ${Math.round(http.at_per_s)}/s p50 ${http.p50_ms.toFixed(1)} ms, ` +
      `p99 ${http.p99_ms.toFixed(1)} ms`,
  ].join('\n');
}

const data_dir = await mkdtemp(join(tmpdir(), 'usage-ledger-bench-'));
// Started by root, the server runs as another user, who has to get there.
await chmod(data_dir, 0o755);
const ledger = await startLedger({ DATA_DIR: data_dir });
try {
  const [pid] = (await readFile(join(data_dir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
  const results = await runAll(ledger, Number(pid));
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else process.stdout.write(`\n${table(results)}\n`);
} finally {
  await ledger.close();
  await rm(data_dir, { recursive: true, force: true });
}
