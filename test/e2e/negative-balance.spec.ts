import type { Answer } from '#apps/standalone';
import {
  balance,
  charge,
  explained,
  grant,
  highestRevision,
  statement,
  type Usage,
} from './asking.js';
import { publish, usageMessage } from './bus.js';
import { describeSystem, expectSound } from './suite.js';

const PRICES: Readonly<Record<string, bigint>> = {
  'text.generation': 1n,
  'image.generation': 20n,
  'video.generation': 100n,
};
const OPERATIONS = Object.keys(PRICES);

const priceOf = ({ operation, quantity = 1 }: Usage): bigint =>
  PRICES[String(operation)]! * BigInt(quantity as number);

/** Charged its price, or rejected because that was more than there was at that moment. */
function expectedAnswer({ status, body, price }: Answer & { price: bigint }): object {
  if (status === 200) return { body: { credits: price.toString() } };
  const { available } = body['balance_after'] as { available: string };
  const shortfall = price - BigInt(available);
  return {
    status: 402,
    body: {
      price: price.toString(),
      shortfall: shortfall > 0n ? shortfall.toString() : 'more than 0',
    },
  };
}

describeSystem('a negative balance', (system) => {
  const race = (requests: readonly Usage[]): Promise<Answer[]> =>
    Promise.all(requests.map((usage) => charge(system(), usage)));

  /** Each balance follows from the one before, and none is below zero. */
  async function expectNeverNegative(account_id: string, at_least: number): Promise<void> {
    let available = 0n;
    for (const { what, credits, balance_after } of await statement(
      system(),
      account_id,
      at_least,
    )) {
      if (what === 'CreditsGranted') available += BigInt(credits);
      if (what === 'UsageConsumed') available -= BigInt(credits);
      expect(available >= 0n).toBe(true);
      expect(balance_after).toEqual({ available: available.toString(), reserved: '0' });
    }
    expect(await balance(system(), account_id, at_least)).toMatchObject({
      available: available.toString(),
    });
  }

  it('60 requests at once for 7 credits: exactly 7 are consumed', async () => {
    await grant(system(), 'seven', { request_id: 'pack', credits: '7' });
    const answers = await race(
      Array.from({ length: 60 }, (_, n) => ({
        account_id: 'seven',
        request_id: `text-${n}`,
        operation: 'text.generation',
      })),
    );
    const charged = answers.filter(({ status }) => status === 200);
    const rejected = answers.filter(({ status }) => status === 402);
    expect([charged.length, rejected.length]).toEqual([7, 53]);
    const left = charged.map(({ body }) => body['balance_after'] as { available: string });
    expect(left.map(({ available }) => available).sort()).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
    ]);
    for (const { body } of rejected) {
      expect(body).toMatchObject({
        code: 'insufficient_credits',
        credits: '0',
        price: '1',
        shortfall: '1',
        balance_after: { available: '0' },
      });
    }
    await expectNeverNegative('seven', highestRevision(answers));
  });

  it('two accounts and mixed prices at once: what fits is charged, nothing else', async () => {
    const credits = 157;
    const accounts = ['mixed-1', 'mixed-2'];
    for (const account_id of accounts) {
      await grant(system(), account_id, { request_id: 'pack', credits: String(credits) });
    }
    const requests = Array.from({ length: 120 }, (_, n) => ({
      account_id: accounts[n % 2]!,
      request_id: `mixed-${n}`,
      operation: OPERATIONS[n % 3]!,
      quantity: 1 + (n % 4),
    }));
    const answers = await race(requests);
    for (const account_id of accounts) {
      const mine = answers.flatMap((answer, n) => {
        const usage = requests[n]!;
        return usage.account_id === account_id ? [{ ...answer, price: priceOf(usage) }] : [];
      });
      const spent = mine
        .filter(({ status }) => status === 200)
        .reduce((sum, { price }) => sum + price, 0n);
      const left = BigInt(credits) - spent;
      expect(await balance(system(), account_id, highestRevision(mine))).toMatchObject({
        available: left.toString(),
      });
      for (const answer of mine) expect(answer).toMatchObject(expectedAnswer(answer));
      await expectNeverNegative(account_id, highestRevision(mine));
    }
  });

  it('over HTTP, in batches and on the bus at once', async () => {
    const account_id = 'every-way';
    await grant(system(), account_id, { request_id: 'pack', credits: '50' });
    const text = (way: string, n: number) => ({
      account_id,
      request_id: `${way}-${n}`,
      operation: 'text.generation',
    });
    const of = (way: string) => Array.from({ length: 40 }, (_, n) => text(way, n));
    await Promise.all([
      race(of('http')),
      system().call('POST', '/v1/usage/batch', { requests: of('batch') }),
      publish(
        system(),
        of('bus').map((usage) => usageMessage(usage)),
      ),
    ]);
    const all = ['http', 'batch', 'bus'].flatMap(of);
    // A publish and a batch are durable, not decided, and the two topics have no order between them:
    // asked again too early, the repeat may be the one that is decided.
    await Promise.all(all.map(({ request_id }) => explained(system(), account_id, request_id)));
    // Answered again, wherever they came in.
    const answers = await race(all);
    expect(answers.every(({ body }) => body['replayed'] === true)).toBe(true);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(50);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(70);
    await expectNeverNegative(account_id, highestRevision(answers));
  });

  it('several lines are charged together or not at all', async () => {
    const account_id = 'all-or-none';
    await grant(system(), account_id, { request_id: 'pack', credits: '25' });
    const items = [
      { operation: 'image.generation', quantity: 1 },
      { operation: 'text.generation', quantity: 6 },
    ];
    const rejected = await charge(system(), { account_id, request_id: 'both', items });
    expect(rejected).toMatchObject({ status: 402, body: { price: '26', shortfall: '1' } });
    const left = { available: '25', reserved: '0' };
    expect(rejected.body['balance_after']).toEqual(left);
  });

  it('credits that come later change no rejection', async () => {
    const granted = await grant(system(), 'seven', { request_id: 'pack-2', credits: '1000' });
    const requests = Array.from({ length: 60 }, (_, n) => ({
      account_id: 'seven',
      request_id: `text-${n}`,
      operation: 'text.generation',
    }));
    const answers = await race(requests);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(53);
    // The answers are of older revisions than the grant.
    const after = await balance(system(), 'seven', granted);
    expect(after).toMatchObject({ available: '1000' });
  });

  it('bus, streams, read models and invoices agree', () => expectSound(system()));
});
