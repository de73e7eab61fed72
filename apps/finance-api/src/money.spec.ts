import fc from 'fast-check';
import { describedAnswers } from '../../../test/fixtures/described-answers.js';
import { testFinanceApi, type TestFinanceApi } from '../../../test/fixtures/finance-api.js';
import { sequences } from '../../../test/ledger/commands.js';
import { MONEY, playMoney } from '../../../test/ledger/money-history.js';
import { addTo, ModelBooks, type Paid, type Sums } from '../../../test/ledger/money.js';

let api: TestFinanceApi;
let faultsOf: ReturnType<typeof describedAnswers>;
beforeAll(async () => {
  api = await testFinanceApi();
  faultsOf = describedAnswers((await api.app.inject('/openapi.json')).json());
});
afterAll(() => api.close());

/** The body of an answer, which must be as it is described. */
async function ask(path: string, url: string) {
  const { status, response } = await api.get(url);
  const body = response.json();
  expect({ url, faults: faultsOf(`/v1${path}`, status, 'application/json', body) }).toEqual({
    url,
    faults: [],
  });
  expect(status).toBe(200);
  return body;
}

interface StatementEntry {
  readonly what: string;
  readonly state?: string;
  readonly occurred_at: string;
  readonly credits: string;
  readonly reason?: string;
  readonly asked_credits?: string;
  readonly paid?: Paid;
  readonly price_book_version?: string;
  readonly lines: readonly { operation: string; quantity: number; credits: string }[];
  readonly items?: readonly { operation: string; quantity: number }[];
  readonly balance_after: { available: string };
  readonly revision: number;
}

async function statementOf(id: string, limit: number): Promise<StatementEntry[]> {
  const entries: StatementEntry[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const more: string = cursor && `&cursor=${cursor}`;
    const url = `/accounts/${id}/statement?limit=${limit}${more}`;
    const page = await ask('/accounts/{account_id}/statement', url);
    entries.unshift(...(page.items as StatementEntry[]).toReversed());
    cursor = page.next_cursor as string | null;
  }
  return entries;
}

/** What a line of the statement changes of what is available. */
function changeOf({ what, state, credits }: StatementEntry): bigint {
  if (what === 'UsageConsumed' || what === 'CreditsExpired') return -BigInt(credits);
  if (what === 'GrantActivated') return BigInt(credits);
  return what === 'CreditsGranted' && state === 'active' ? BigInt(credits) : 0n;
}

function booksOfStatement(entries: readonly StatementEntry[]): ModelBooks {
  const books = new ModelBooks();
  for (const entry of entries) {
    const { what, occurred_at, reason, lines, items, credits, paid } = entry;
    const period = occurred_at.slice(0, 7);
    if (what === 'CreditsExpired') books.expired += BigInt(credits);
    if (what === 'CreditsGranted') addTo(books.granted, period, 1n, BigInt(credits));
    if (paid) {
      const [sums, key] =
        what === 'CreditsGranted'
          ? [books.granted, `${period} ${paid.currency}`]
          : [books.refused, paid.currency];
      addTo(sums, key, 1n, BigInt(paid.amount_minor));
    }
    for (const line of lines) {
      const [sums, key] =
        what === 'UsageConsumed'
          ? [books.consumed, `${period} ${line.operation} ${entry.price_book_version}`]
          : [books.rejected, `${period} ${reason} ${line.operation}`];
      addTo(sums, key, BigInt(line.quantity), BigInt(line.credits));
    }
    for (const { operation, quantity } of items ?? []) {
      addTo(books.rejected, `${period} ${reason} ${operation}`, BigInt(quantity), 0n);
    }
    if (what === 'UsageRejected') addTo(books.requests_rejected, `${period} ${reason}`, 0n, 0n);
  }
  return books;
}

type Row = Readonly<Record<string, string>> & { readonly lines: number };
const sumsOf = (rows: readonly Row[], keyOf: (row: Row) => string): Sums => {
  const sums: Sums = new Map();
  for (const row of rows) {
    addTo(sums, keyOf(row), BigInt(row.quantity!), BigInt(row.credits!), row.lines);
  }
  return sums;
};

async function booksOfInvoices(id: string) {
  const path = '/accounts/{account_id}/invoices';
  const { items } = await ask(path, `/accounts/${id}/invoices`);
  const consumed: Sums = new Map();
  const granted: Sums = new Map();
  for (const { period, totals } of items) {
    const url = `/accounts/${id}/invoices/${period}`;
    const { lines, purchases, grants, totals: again } = await ask(`${path}/{period}`, url);
    expect(again).toEqual(totals);
    const csv = (await api.get(`${url}.csv`)).response.body.trimEnd().split('\n').slice(1);
    expect(csv).toEqual([
      ...lines.map(
        ({ operation, price_book_version, quantity, credits }: Row) =>
          `${id},${period},draft,usage,${operation},${price_book_version},${quantity},${credits},,`,
      ),
      ...[...purchases, ...grants].map(({ grant_id, credits, paid }) => {
        const cells = paid ? `${paid.currency},${paid.amount_minor}` : ',';
        return `${id},${period},draft,${paid ? 'purchase' : 'grant'},${grant_id},,,${credits},${cells}`;
      }),
    ]);
    const of_lines = sumsOf(lines, (row) => `${period} ${row.operation} ${row.price_book_version}`);
    for (const [key, sum] of of_lines) consumed.set(key, sum);
    for (const { credits, paid } of [...purchases, ...grants]) {
      addTo(granted, period, 1n, BigInt(credits));
      if (paid) addTo(granted, `${period} ${paid.currency}`, 1n, BigInt(paid.amount_minor));
    }
    const paid_sums = totals.paid.map((sum: { currency: string; amount_minor: string }) => [
      `${period} ${sum.currency}`,
      BigInt(sum.amount_minor),
    ]);
    const of_period = [...granted].filter(([key]) => key.startsWith(`${period} `));
    expect(new Map(paid_sums)).toEqual(new Map(of_period.map(([key, sum]) => [key, sum.credits])));
    expect(BigInt(totals.consumed)).toBe(
      [...of_lines.values()].reduce((a, b) => a + b.credits, 0n),
    );
    expect(BigInt(totals.purchased) + BigInt(totals.granted)).toBe(
      granted.get(period)?.credits ?? 0n,
    );
  }
  return { consumed, granted };
}

let accounts = 0;
it('statement, invoices, reports, balance and an independent model come to the same', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      sequences,
      MONEY,
      fc.integer({ min: 1, max: 50 }),
      async (sent, more, limit) => {
        fc.pre(sent.some(({ command }) => command.kind !== 'sweep'));
        const id = `m${(accounts += 1)}`;
        const { books, available } = playMoney(api.models.recorder, id, sent, more);
        await api.models.project();

        const entries = await statementOf(id, limit);
        let before = 0n;
        for (const entry of entries) {
          before += changeOf(entry);
          expect(entry.balance_after.available).toBe(String(before));
          const url = `/accounts/${id}/balance?as_of=${entry.revision}`;
          const as_of = await ask('/accounts/{account_id}/balance', url);
          expect(as_of.available).toBe(String(before));
          seen.add(entry.what);
        }
        expect(before).toBe(available);
        const balance = await ask('/accounts/{account_id}/balance', `/accounts/${id}/balance`);
        expect(balance).toMatchObject({
          available: String(available),
          revision: entries.length - 1,
        });

        expect(booksOfStatement(entries)).toEqual(books);
        expect(await booksOfInvoices(id)).toEqual({
          consumed: books.consumed,
          granted: books.granted,
        });

        const of = `account_id=${id}&group_by=period`;
        const rejected = await ask('/usage/rejections', `/usage/rejections?${of},reason,operation`);
        expect(sumsOf(rejected.items, (r) => `${r.period} ${r.reason} ${r.operation}`)).toEqual(
          books.rejected,
        );
        const requests = await ask('/usage/rejections', `/usage/rejections?${of},reason`);
        const counted = requests.items.map(
          (row: { period: string; reason: string; requests: number }) => [
            `${row.period} ${row.reason}`,
            row.requests,
          ],
        );
        const expected = [...books.requests_rejected].map(([key, { count }]) => [key, count]);
        expect(new Map(counted)).toEqual(new Map(expected as [string, number][]));
        const refused: Sums = new Map();
        const url = `/grants/rejections?account_id=${id}&paid=true&limit=500`;
        for (const { paid } of (await ask('/grants/rejections', url)).items) {
          addTo(refused, paid.currency, 1n, BigInt(paid.amount_minor));
        }
        expect(refused).toEqual(books.refused);
      },
    ),
    { numRuns: 40 },
  );
  expect([...seen].sort()).toEqual([
    'CreditsExpired',
    'CreditsGranted',
    'GrantActivated',
    'GrantRejected',
    'UsageConsumed',
    'UsageRejected',
  ]);
}, 300_000);
