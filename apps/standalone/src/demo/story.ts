import { fileURLToPath } from 'node:url';
import type { Answer, LedgerProcess } from './ledger-process.js';

const TRACE = fileURLToPath(
  new URL(
    '../../../../../apps/standalone/demo/azure-llm-inference-2023-conv-2000.csv',
    import.meta.url,
  ),
);
const PERIOD = '2023-11';

const say = (text = '') => void process.stdout.write(`${text}\n`);
const step = (number: number, title: string) => say(`\n── ${number}. ${title}`);
const show = (what: string, answer: Answer, ...fields: string[]) => {
  const told = fields.map((field) => `${field}=${JSON.stringify(answer.body[field])}`);
  say(`   ${what} → ${answer.status} ${told.join(' ')}`);
};

/** Throws when the ledger does not do what the step says: the demo is a test too. */
function expect(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`this should hold: ${claim}`);
}

/** Walks through what the ledger is for, on a real trace. */
export async function showLedger(ledger: LedgerProcess): Promise<void> {
  say(`usage-ledger runs on ${ledger.url} with throw-away data (gone at the end).`);
  await importTrace(ledger);
  await chargeTwice(ledger);
  await raceForTheLastCredits(ledger);
  await explain(ledger);
  await showInvoice(ledger);
  step(6, 'Nothing was lost, doubled or invented: bus, streams, read models and invoices agree');
  await ledger.cli('verify');
  say('\nThat was it. `npm start` runs it on data that stays; README.md tells the rest.');
}

async function importTrace(ledger: LedgerProcess): Promise<void> {
  step(1, '2,000 real LLM requests (Azure trace 2023, CC-BY 4.0) are charged by their tokens');
  const items = ['llm.input_tokens=ContextTokens', 'llm.output_tokens=GeneratedTokens'];
  await ledger.cli(
    'import',
    TRACE,
    '--account=spread:20',
    '--grant=1000000',
    ...items.map((item) => `--item=${item}`),
    '--occurred-at=TIMESTAMP',
  );
}

const image = (request_id: string) => ({
  account_id: 'studio',
  request_id,
  operation: 'image.generation',
});

async function chargeTwice(ledger: LedgerProcess): Promise<void> {
  step(2, 'A client that times out sends again: charged once, answered twice');
  const pack = { request_id: 'pack-1', credits: '160', kind: 'pack' };
  await ledger.call('POST', '/v1/accounts/studio/grants', pack);
  const first = await ledger.call('POST', '/v1/usage', image('img-1'));
  const again = await ledger.call('POST', '/v1/usage', image('img-1'));
  show('image, request img-1    ', first, 'outcome', 'credits', 'replayed');
  show('the very same once more ', again, 'outcome', 'credits', 'replayed');
  const other = { ...image('img-1'), operation: 'video.generation' };
  const conflict = await ledger.call('POST', '/v1/usage', other);
  show('same id, other content  ', conflict, 'code');
  expect(again.replayed && again.body['revision'] === first.body['revision'], 'it was a replay');
  expect(conflict.status === 409, 'other content is a conflict');
}

async function raceForTheLastCredits(ledger: LedgerProcess): Promise<void> {
  step(3, 'Sixty requests at once for credits that last for seven');
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, i) => ledger.call('POST', '/v1/usage', image(`race-${i}`))),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  say(`   ${count(200)} consumed, ${count(402)} rejected (402), none below zero`);
  expect(count(200) === 7 && count(402) === 53, 'seven of sixty are charged');
  const rejected = answers.find(({ status }) => status === 402)!;
  show('one of the rejected     ', rejected, 'reason', 'price', 'shortfall');
}

async function explain(ledger: LedgerProcess): Promise<void> {
  step(4, 'Why was I charged? One event answers');
  await ledger.cli('explain', 'studio', 'img-1');
}

async function showInvoice(ledger: LedgerProcess): Promise<void> {
  step(5, `The invoice of acct-0001 for ${PERIOD}: every number leads to events`);
  const { status, body } = await ledger.call('GET', `/v1/accounts/acct-0001/invoices/${PERIOD}`);
  expect(status === 200, 'the account has an invoice');
  const lines = body['lines'] as Record<string, string>[];
  for (const { operation, price_book_version, quantity, credits } of lines) {
    const name = `${operation} @ ${price_book_version}`.padEnd(32);
    say(`   ${name} ${quantity!.padStart(10)} tokens ${credits!.padStart(8)} credits`);
  }
  const total = lines.reduce((sum, { credits }) => sum + BigInt(credits!), 0n);
  say(`   ${'total'.padEnd(32)} ${''.padStart(10)}        ${total.toString().padStart(8)} credits`);
}
