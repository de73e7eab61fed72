import type { ClientBase, Pool } from 'pg';
import type { Credits, GrantKind, Instant, Paid, Period } from '#libs/contracts';
import { READ_SCHEMA, schemaName } from '../schema.js';
import { inOneView } from '../one-view.js';

/** Usage of one operation at one price version. */
interface InvoiceLine {
  readonly operation: string;
  readonly price_book_version: string;
  /** How many priced lines of requests it sums up. */
  readonly lines: number;
  readonly quantity: bigint;
  readonly credits: Credits;
}

/** Credits granted in the period; a paid grant is a purchase. */
export interface InvoiceGrant {
  readonly grant_id: string;
  readonly kind: GrantKind;
  readonly credits: Credits;
  readonly paid: Paid | null;
  readonly recorded_at: Instant;
  readonly revision: number;
}

export interface InvoiceTotals {
  /** Σ credits of the lines. */
  readonly consumed: Credits;
  /** Σ credits of purchases, and of grants that nobody paid for. */
  readonly purchased: Credits;
  readonly granted: Credits;
  /** What was paid, by currency. */
  readonly paid: readonly { readonly currency: string; readonly amount_minor: bigint }[];
}

/** A period's invoice. A draft: what is booked into its period still changes it. */
export interface Invoice {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly period: Period;
  readonly status: 'draft';
  readonly lines: readonly InvoiceLine[];
  readonly purchases: readonly InvoiceGrant[];
  readonly grants: readonly InvoiceGrant[];
  readonly totals: InvoiceTotals;
  /** The account's revision that it is made from. */
  readonly revision: number;
}

/** An invoice without its lines. */
type InvoiceSummary = Pick<Invoice, 'period' | 'status' | 'totals'>;

/** An account's invoices, newest period first. Undefined for an unknown account. */
export const invoices = (
  pool: Pool,
  tenant_id: string,
  account_id: string,
  schema: string = READ_SCHEMA,
): Promise<InvoiceSummary[] | undefined> =>
  inOneView(pool, async (client) => {
    const all = await invoicesIn(client, tenant_id, account_id, schema);
    return all?.map(({ period, status, totals }) => ({ period, status, totals }));
  });

/** The same with their lines, as the client's transaction sees them; for audits. */
export async function invoicesIn(
  client: ClientBase,
  tenant_id: string,
  account_id: string,
  schema: string,
): Promise<Invoice[] | undefined> {
  const ids = [tenant_id, account_id] as const;
  const booked = await bookedIn(client, schema, ids, null);
  if (booked === undefined) return undefined;
  return [...new Set([...booked.lines.keys(), ...booked.grants.keys()])]
    .sort((a, b) => (a < b ? 1 : -1))
    .map((period) => invoiceOf(ids, period, booked));
}

/** One month; without lines when nothing was booked into it. Undefined for an unknown account. */
export const invoice = (
  pool: Pool,
  tenant_id: string,
  account_id: string,
  period: Period,
  schema: string = READ_SCHEMA,
): Promise<Invoice | undefined> =>
  inOneView(pool, async (client) => {
    const ids = [tenant_id, account_id] as const;
    const booked = await bookedIn(client, schema, ids, period);
    return booked && invoiceOf(ids, period, booked);
  });

function invoiceOf([tenant_id, account_id]: Ids, period: Period, booked: BookedRows): Invoice {
  const lines = booked.lines.get(period) ?? [];
  const granted = booked.grants.get(period) ?? [];
  return {
    tenant_id,
    account_id,
    period,
    status: 'draft',
    lines,
    purchases: granted.filter(isPaid),
    grants: granted.filter((grant) => !isPaid(grant)),
    totals: totalsOf(lines, granted),
    revision: booked.revision,
  };
}

type Ids = readonly [tenant_id: string, account_id: string];

/** What was booked into one period, or into each (null). Undefined for an unknown account. */
async function bookedIn(
  client: ClientBase,
  schema: string,
  ids: Ids,
  period: Period | null,
): Promise<BookedRows | undefined> {
  const { rows } = await client.query<{ revision: bigint }>(
    `select revision from ${schemaName(schema)}.accounts where tenant_id = $1 and account_id = $2`,
    [...ids],
  );
  if (rows[0] === undefined) return undefined;
  return {
    revision: Number(rows[0].revision),
    lines: byPeriod(await linesOf(client, schema, ids, period)),
    grants: byPeriod(await grantsOf(client, schema, ids, period)),
  };
}

interface BookedRows {
  readonly revision: number;
  readonly lines: ReadonlyMap<Period, readonly InvoiceLine[]>;
  readonly grants: ReadonlyMap<Period, readonly InvoiceGrant[]>;
}

type Booked<T> = readonly [period: Period, what: T];

function byPeriod<T>(booked: readonly Booked<T>[]): ReadonlyMap<Period, readonly T[]> {
  const groups = new Map<Period, T[]>();
  for (const [period, what] of booked) {
    const group = groups.get(period);
    if (group === undefined) groups.set(period, [what]);
    else group.push(what);
  }
  return groups;
}

async function linesOf(
  client: ClientBase,
  schema: string,
  ids: Ids,
  period: Period | null,
): Promise<Booked<InvoiceLine>[]> {
  const { rows } = await client.query<
    Omit<InvoiceLine, 'lines'> & { period: Period; lines: bigint }
  >(
    `select period, operation, price_book_version, sum(lines) as lines, sum(quantity) as quantity,
            sum(credits) as credits
     from ${schemaName(schema)}.usage_totals
     where tenant_id = $1 and account_id = $2 and ($3::text is null or period = $3)
     group by period, operation, price_book_version
     order by period, operation, price_book_version`,
    [...ids, period],
  );
  return rows.map(({ period: booked, ...line }) => [
    booked,
    { ...line, lines: Number(line.lines) },
  ]);
}

interface GrantRow {
  period: Period;
  grant_id: string;
  kind: GrantKind;
  credits: Credits;
  recorded_at: Instant;
  revision: bigint;
  amount_minor: bigint | null;
  currency: string | null;
}

async function grantsOf(
  client: ClientBase,
  schema: string,
  ids: Ids,
  period: Period | null,
): Promise<Booked<InvoiceGrant>[]> {
  const { rows } = await client.query<GrantRow>(
    `select period, grant_id, kind, credits, recorded_at, revision,
            paid_amount_minor as amount_minor, paid_currency as currency
     from ${schemaName(schema)}.grants
     where tenant_id = $1 and account_id = $2 and ($3::text is null or period = $3)
     order by revision`,
    [...ids, period],
  );
  return rows.map(({ period: booked, amount_minor, currency, ...grant }) => {
    const paid = currency === null ? null : { amount_minor: Number(amount_minor), currency };
    return [booked, { ...grant, revision: Number(grant.revision), paid }];
  });
}

const isPaid = (grant: InvoiceGrant): boolean => grant.paid !== null;

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((a, b) => a + b, 0n);

function totalsOf(lines: readonly InvoiceLine[], granted: readonly InvoiceGrant[]): InvoiceTotals {
  const paid = new Map<string, bigint>();
  for (const grant of granted) {
    if (grant.paid === null) continue;
    const { currency, amount_minor } = grant.paid;
    paid.set(currency, (paid.get(currency) ?? 0n) + BigInt(amount_minor));
  }
  const creditsOf = (grants: readonly InvoiceGrant[]) => sum(grants.map((grant) => grant.credits));
  return {
    consumed: sum(lines.map((line) => line.credits)),
    purchased: creditsOf(granted.filter(isPaid)),
    granted: creditsOf(granted.filter((grant) => !isPaid(grant))),
    paid: [...paid]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([currency, amount_minor]) => ({ currency, amount_minor })),
  };
}
