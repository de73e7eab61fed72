import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DemoLedger } from './demo-ledger.js';
import type { Answer } from './ledger-process.js';

const TRACE = fileURLToPath(
  new URL(
    '../../../../../apps/standalone/demo/azure-llm-inference-2023-conv-2000.csv',
    import.meta.url,
  ),
);
const ROWS = 2_000;
const ACCOUNTS = 20;
const PERIOD = '2023-11';

export const say = (text = '') => void process.stdout.write(`${text}\n`);

const step = (number: number, title: string) => say(`\n── ${number}. ${title}`);

const show = (what: string, { status, body }: Answer, ...fields: string[]) => {
  const shown = fields.map((field) => `${field}=${JSON.stringify(body[field])}`);
  say(`   ${what.padEnd(26)} → ${status}  ${shown.join(' ')}`);
};

/** Shows the command as one would type it, runs it, and rejects unless it exits with 0. */
async function runCommand(ledger: DemoLedger, ...args: string[]): Promise<void> {
  const [command, ...rest] = args.map((argument) => basename(argument));
  const [first, ...options] = rest.join(' ').split(/ (?=--)/);
  const typed = [`npx usage-ledger ${command} ${first ?? ''}`.trimEnd(), ...options];
  say(`   $ ${typed.join(' \\\n       ')}`);
  await ledger.cli(...args);
}

/** Throws when the ledger does not do what the step says: the demo is a test too. */
function expect(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`this should hold: ${claim}`);
}

/** Walks through what the ledger is for, on a real trace. */
export async function showLedger(ledger: DemoLedger): Promise<void> {
  say(`It runs on ${ledger.url}. Everything below goes over HTTP or the command line.`);
  await importTrace(ledger);
  await chargeTwice(ledger);
  await raceForTheLastCredits(ledger);
  await killInTheMiddle(ledger);
  await explain(ledger);
  await showInvoice(ledger);
  step(7, 'Nothing lost, doubled or invented: bus, streams, read models and invoices agree');
  await runCommand(ledger, 'verify');
  say('\nThat was it. `npm start` runs it on data that stays; README.md has the rest.');
}

async function importTrace(ledger: DemoLedger): Promise<void> {
  step(1, '2,000 real LLM requests (Azure trace 2023, CC-BY 4.0) are charged by their tokens');
  await runCommand(
    ledger,
    'import',
    TRACE,
    `--account=spread:${ACCOUNTS}`,
    '--grant=1000000',
    '--occurred-at=TIMESTAMP',
    '--item=llm.input_tokens=ContextTokens',
    '--item=llm.output_tokens=GeneratedTokens',
  );
  await projected(ledger, ROWS + ACCOUNTS);
}

/** Every decision is answered before the finance tables show it, a moment later. */
async function projected(ledger: DemoLedger, events: number): Promise<void> {
  for (;;) {
    const { body } = await ledger.call('GET', `/v1/accounts?limit=${ACCOUNTS}`);
    const accounts = body['items'] as { revision: number }[];
    if (accounts.reduce((sum, { revision }) => sum + revision + 1, 0) >= events) return;
    await sleep(50);
  }
}

const usage = (request_id: string, operation = 'image.generation') => ({
  account_id: 'studio',
  request_id,
  operation,
});

async function chargeTwice(ledger: DemoLedger): Promise<void> {
  step(2, 'A client that times out sends again: charged once, answered twice');
  const pack = { request_id: 'pack-1', credits: '160', kind: 'pack' };
  show('a pack of 160 credits', await ledger.call('POST', grants, pack), 'outcome', 'credits');
  const first = await ledger.call('POST', '/v1/usage', usage('img-1'));
  const again = await ledger.call('POST', '/v1/usage', usage('img-1'));
  const conflict = await ledger.call('POST', '/v1/usage', usage('img-1', 'video.generation'));
  show('an image, request img-1', first, 'outcome', 'credits', 'revision', 'replayed');
  show('the very same once more', again, 'outcome', 'credits', 'revision', 'replayed');
  show('img-1 with other content', conflict, 'code');
  expect(again.body['replayed'] === true, 'the second answer is a replay');
  expect(again.body['revision'] === first.body['revision'], 'of the same charge');
  expect(conflict.status === 409, 'other content is a conflict');
}

const grants = '/v1/accounts/studio/grants';

async function raceForTheLastCredits(ledger: DemoLedger): Promise<void> {
  step(3, 'Sixty requests at once for credits that last for seven');
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => ledger.call('POST', '/v1/usage', usage(`race-${n}`))),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  say(`   ${count(200)} charged (200), ${count(402)} rejected (402)`);
  expect(count(200) === 7 && count(402) === 53, 'seven of sixty are charged');
  show(
    'one of the rejected',
    answers.find(({ status }) => status === 402)!,
    'price',
    'shortfall',
  );
}

async function killInTheMiddle(ledger: DemoLedger): Promise<void> {
  step(4, 'kill -9 while eight clients charge; each sends again what was not answered');
  await ledger.call('POST', grants, { request_id: 'pack-2', credits: '300', kind: 'pack' });
  const open = Array.from({ length: 300 }, (_, n) => `text-${n}`);
  const answers: Answer[] = [];
  const repeated: Answer[] = [];
  let killing: Promise<void> | undefined;
  const client = async () => {
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const { answer, attempts } = await sendUntilAnswered(ledger, id);
      answers.push(answer);
      if (attempts > 1) repeated.push(answer);
      if (answers.length === 100) killing = ledger.killAndRestart();
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  await killing;
  const before_the_kill = repeated.filter(({ body }) => body['replayed'] === true).length;
  say(`   killed after 100 answers, started again; ${repeated.length} had got no answer and were`);
  say(
    `   sent again: ${before_the_kill} of them had been charged already, so were not charged twice`,
  );
  const charged = answers.filter(({ status }) => status === 200).length;
  say(`   ${charged} charged in the end`);
  const revision = Math.max(...answers.map(({ body }) => Number(body['revision'])));
  const balance = await ledger.call('GET', `/v1/accounts/studio/balance?at_least=${revision}`);
  show('left of 300 credits', balance, 'available');
  expect(charged === 300 && balance.body['available'] === '0', 'each is charged exactly once');
}

async function sendUntilAnswered(
  ledger: DemoLedger,
  id: string,
): Promise<{ answer: Answer; attempts: number }> {
  for (let attempts = 1; ; attempts += 1) {
    const sent = ledger.call('POST', '/v1/usage', usage(id, 'text.generation'));
    const answer = await sent.catch((): undefined => undefined); // the connection broke
    if (answer && answer.status < 500) return { answer, attempts };
    await sleep(100);
  }
}

async function explain(ledger: DemoLedger): Promise<void> {
  step(5, 'Why was I charged? One event answers');
  await runCommand(ledger, 'explain', 'studio', 'img-1');
}

async function showInvoice(ledger: DemoLedger): Promise<void> {
  step(6, `The invoice of acct-0001 for ${PERIOD}: every number leads to events`);
  const { status, body } = await ledger.call('GET', `/v1/accounts/acct-0001/invoices/${PERIOD}`);
  expect(status === 200, 'the account has an invoice');
  const row = (name: string, quantity: string, credits: string) =>
    say(`   ${name.padEnd(32)} ${quantity.padStart(10)} ${credits.padStart(10)}`);
  row('operation @ price book', 'quantity', 'credits');
  for (const line of body['lines'] as Record<string, string>[]) {
    row(
      `${line['operation']} @ ${line['price_book_version']}`,
      line['quantity']!,
      line['credits']!,
    );
  }
  row('total', '', (body['totals'] as { consumed: string }).consumed);
}
