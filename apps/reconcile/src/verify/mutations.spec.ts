import { TOPICS } from '#libs/contracts';
import { READ_TABLES } from '#libs/read-models';
import {
  grant,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../../test/reconcile/command-line.js';
import type { Mutation } from '../../../../test/reconcile/planting.js';
import { STREAM_MUTATIONS } from '../../../../test/reconcile/stream-mutations.js';
import { TABLE_MUTATIONS } from '../../../../test/reconcile/table-mutations.js';
import { CHECKS } from './findings.js';

const CHF_5 = { amount_minor: 500, currency: 'CHF' };

async function ledgerOfAlice(): Promise<AuditedLedger> {
  const ledger = await startAuditedLedger();
  await ledger.publish(TOPICS.requests, [
    grant('alice', 'g-1', 1_000, { paid: { amount_minor: 4_900, currency: 'EUR' } }),
    grant('alice', 'g-2', 50, { expires_at: '2026-03-01T00:00:00Z' }),
    usage('alice', 'u-0', { operation: 'image.generation', quantity: 100 }), // rejected
    usage('alice', 'u-1', { quantity: 3 }),
    grant('carol', 'g-0', 9, { expires_at: '2026-01-01T00:00:00Z', paid: CHF_5 }), // rejected
  ]);
  await ledger.bus.publish(TOPICS.requests, [{ key: 'dev/bob', value: 'poison' }]);
  await ledger.settle();
  return ledger;
}

async function expectFound(ledger: AuditedLedger, { check, left, right = /^/ }: Mutation) {
  const { exit_code, lines } = await commandLine(['verify', '--json'], { engines: ledger });
  const found = lines.find((line) => line['type'] === 'mismatch' && line['check'] === check);
  expect(found ?? lines).toMatchObject({ check, left: expect.stringMatching(left) });
  expect(String(found?.['right'])).toMatch(right);
  expect(exit_code).toBe(1);
}

async function expectNothing(ledger: AuditedLedger) {
  const { exit_code, lines } = await commandLine(['verify', '--json'], { engines: ledger });
  expect(lines).toMatchObject([{ type: 'verified', mismatches: 0 }]);
  expect(exit_code).toBe(0);
}

describe('bus and streams: each check finds what is planted, and names both sides', () => {
  let ledger: AuditedLedger;
  beforeEach(async () => {
    ledger = await ledgerOfAlice();
  });
  afterEach(() => ledger.drop());

  it.each(STREAM_MUTATIONS)('$check: $what', async (mutation) => {
    await mutation.plant(ledger);
    await expectFound(ledger, mutation);
  });

  it('finds nothing where nothing is planted', () => expectNothing(ledger));
});

describe('read models and invoices: each check finds what is planted, and names both sides', () => {
  let ledger: AuditedLedger;
  const each = (sql: (table: string) => string) => READ_TABLES.map(sql).join('; ');

  beforeAll(async () => {
    ledger = await ledgerOfAlice();
    // Enough events for a snapshot.
    const uses = Array.from({ length: 999 }, (_, n) => usage('bob', `u-${n}`));
    await ledger.publish(TOPICS.requests, [grant('bob', 'g-1', 5_000), ...uses]);
    await ledger.settle();
    const keep = each((table) => `create table kept.${table} as table read.${table}`);
    await ledger.pool.query(`create schema kept; ${keep}`);
  });
  afterAll(() => ledger.drop());
  afterEach(async () => {
    const restore = each((t) => `truncate read.${t}; insert into read.${t} table kept.${t}`);
    await ledger.pool.query(restore);
  });

  it.each(TABLE_MUTATIONS)('$check: $what', async (mutation) => {
    await mutation.plant(ledger);
    await expectFound(ledger, mutation);
  });

  it('finds nothing where nothing is planted', () => expectNothing(ledger));
});

it('plants something for every check', () => {
  const planted = [...STREAM_MUTATIONS, ...TABLE_MUTATIONS].map(({ check }) => check);
  expect(new Set(planted)).toEqual(new Set(CHECKS));
});
