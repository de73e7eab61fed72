import { TOPICS } from '#libs/contracts';
import {
  grant,
  startAuditedLedger,
  usage,
  type AuditedLedger,
} from '../../../test/reconcile/audited-ledger.js';
import { commandLine } from '../../../test/reconcile/command-line.js';

let ledger: AuditedLedger;
beforeEach(async () => {
  ledger = await startAuditedLedger();
});
afterEach(() => ledger.drop());

/** Every state as if another version had folded it, to more credits than there are. */
async function foldedBy(state_version: number): Promise<void> {
  for (const table of ['accounts', 'snapshots']) {
    const { rowCount } = await ledger.pool.query(
      `update read.${table} set state_version = $1,
         state = regexp_replace(state, '"(available|remaining)":"', '"\\1":"9', 'g')`,
      [state_version],
    );
    expect(rowCount).toBe(1);
  }
}

const ask = (...ids: readonly string[]) =>
  ledger.publish(
    TOPICS.usage,
    ids.map((id) => usage('alice', id)),
  );

it.each([
  ['an older', 0],
  ['a newer', 2],
])('F29: writers take turns on an account whose states %s version folds', async (_who, version) => {
  const [one, other] = [ledger, ledger.newWriter()];
  await ledger.publish(TOPICS.requests, [grant('alice', 'g-1', 1_010)]);
  await one.decide();
  await ask(...Array.from({ length: 1_000 }, (_, n) => `u-${n}`));
  await one.decide();
  await ledger.project();
  await foldedBy(version);

  await ask('u-0', 'u-999', 'a-1', 'a-1');
  await other.decide(); // knows nothing: folds the whole stream
  await ask('a-1', 'u-1', 'b-1');
  await one.decide(); // was overtaken: folds it from the states, which are of no use
  await ledger.project();
  await foldedBy(version);
  await ask('b-1', 'a-1', 'c-1');
  await ledger.publish(TOPICS.usage, [usage('alice', 'too-much', { quantity: 8 })]);
  await ledger.newWriter().decide();

  await ledger.settle();
  const { lines, exit_code } = await commandLine(['verify', '--json'], { engines: ledger });
  expect(lines).toMatchObject([
    {
      mismatches: 0,
      requests: { decided: 1 + 1_000 + 3 + 1, replayed: 3 + 2 + 2, in_flight: 0 },
      streams: { events: 1_005 },
      read_models: { consumed: '1003', available: '7' },
    },
  ]);
  expect(exit_code).toBe(0);
  expect(JSON.parse(ledger.log.events.at(-1)!.data)).toMatchObject({
    type: 'UsageRejected',
    request_id: 'too-much',
    shortfall: '1',
  });
});
