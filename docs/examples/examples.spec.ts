import type { Server } from 'node:http';
import { execFile } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Decision, UsageRequested } from '#libs/contracts';
import type { MessageBus } from '#libs/message-bus';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { z } from 'zod';
import { startGateway, type Gateway } from '../../test/gateway.js';
import { startMemoryLedger, type MemoryLedger } from '../../test/memory-ledger.js';
import {
  ledgerClient,
  LedgerRefusal,
  LedgerUnavailable,
  type Conflict,
  type Consumed,
  type Granted,
  type Rejected,
  type Usage,
} from './ledger-client.js';

/** Does not compile unless the client's types are those of the contracts. */
type Holds<T extends true> = T;
type Wire = z.input<typeof Decision>;
type OnTheWire = z.input<typeof UsageRequested>;
type _SameTypes = [
  Holds<Consumed | Granted | Conflict extends Wire ? true : false>,
  Holds<Rejected['balance_after'] extends Wire['balance_after'] ? true : false>,
  Holds<Exclude<keyof Rejected, 'detail' | 'status'> extends keyof Wire ? true : false>,
  Holds<Extract<Usage, { operation: string }> extends Partial<OnTheWire> ? true : false>,
];

let ledger: MemoryLedger;
let gateway: Gateway;
let url: string;
/** Put in the way of every publish. */
let disturb: (publish: () => Promise<void>) => Promise<void>;

beforeEach(async () => {
  ledger = await startMemoryLedger();
  disturb = (publish) => publish();
  const bus: MessageBus = {
    ...ledger.bus,
    publish: (...of) => disturb(() => ledger.bus.publish(...of)),
  };
  gateway = await startGateway({ bus });
  await gateway.app.listen(0, '127.0.0.1');
  const server: Server = gateway.app.getHttpServer();
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await gateway.app.close();
  await ledger.close();
});

const client = (options = {}) => ledgerClient({ url, key: 'dev', pause_ms: 1, ...options });
const usage = { account_id: 'a', request_id: 'r1', operation: 'image.generation' };

describe('the client', () => {
  it('grants and charges', async () => {
    const granted = await client().grant('a', { request_id: 'g1', credits: 50, kind: 'pack' });
    expect(granted.outcome).toBe('granted');
    expect(await client().charge(usage)).toMatchObject({
      outcome: 'consumed',
      credits: '20',
      balance_after: { available: '30' },
    });
  });

  it('hands over what was decided, whatever it was', async () => {
    const rejected = await client().charge(usage);
    expect(rejected).toMatchObject({ outcome: 'rejected', reason: 'insufficient_credits' });
    const conflict = await client().charge({ ...usage, quantity: 2 });
    expect(conflict).toMatchObject({ outcome: 'conflict', fingerprint: expect.any(String) });
  });

  it('repeats after a failure with the same request_id: charged once', async () => {
    await client().grant('a', { request_id: 'g1', credits: 50, kind: 'pack' });
    const go = ledger.pause();
    let failures = 2;
    disturb = async (publish) => {
      await publish();
      if (failures-- > 0) throw new Error('written, but nobody knows');
      go();
    };
    const { balance_after } = (await client().charge(usage)) as Consumed;
    expect(balance_after.available).toBe('30');
    // Published three times, charged once.
    expect(failures).toBe(-1);
  });

  it('repeats while it is undecided', async () => {
    await client().grant('a', { request_id: 'g1', credits: 50, kind: 'pack' });
    const go = ledger.pause();
    const charged = client({ timeout_ms: 2_000, attempts: 9 }).charge(usage);
    setTimeout(go, 1_200);
    expect(await charged).toMatchObject({ outcome: 'consumed', request_id: 'r1' });
  });

  it('gives up with an error that says to ask again', async () => {
    disturb = () => Promise.reject(new Error('away'));
    await expect(client({ attempts: 2 }).charge(usage)).rejects.toThrow(LedgerUnavailable);
    const nobody = ledgerClient({ url: 'http://127.0.0.1:1', key: 'dev', attempts: 1 });
    await expect(nobody.charge(usage)).rejects.toThrow(LedgerUnavailable);
  });

  it('does not repeat what can never pass', async () => {
    const { charge } = client();
    await expect(charge({ ...usage, quantity: 0 })).rejects.toThrow(LedgerRefusal);
    await expect(client({ key: 'wrong' }).charge(usage)).rejects.toThrow('401 unauthorized');
  });
});

describe('a product service', () => {
  it('charges before it serves, once per job', async () => {
    process.env.LEDGER_URL = url;
    process.env.LEDGER_API_KEY = 'dev';
    const { ImageServiceModule } = await import('./image-service.js');
    const service = await NestFactory.create(ImageServiceModule, new FastifyAdapter(), {
      logger: false,
    });
    await service.listen(0, '127.0.0.1');
    const order = async (job_id: string) => {
      const response = await fetch(`${await service.getUrl()}/images`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ job_id, account_id: 'a', prompt: 'a cat' }),
      });
      return { status: response.status, body: (await response.json()) as object };
    };
    expect((await order('1')).status).toBe(402);
    await client().grant('a', { request_id: 'g1', credits: 50, kind: 'pack' });
    for (const job of ['2', '2']) {
      expect((await order(job)).body).toMatchObject({
        url: 'https://images.example/a%20cat.png',
        credits_left: '30',
      });
    }
    await client().charge({ account_id: 'a', request_id: 'image:3', operation: 'text.generation' });
    expect((await order('3')).status).toBe(409);
    await service.close();
  });
});

describe('the same with curl', () => {
  it('goes the whole way', async () => {
    const script = fileURLToPath(new URL('../../../docs/examples/curl.sh', import.meta.url));
    const env = { ...process.env, LEDGER_URL: url, LEDGER_DEV_KEY: 'dev', ACCOUNT: 'acct-curl' };
    const { stdout } = await promisify(execFile)('bash', [script], { env });
    const answers = stdout.trim().split('\n\n');
    const statuses = answers.map((answer) => answer.split('\n').at(-1));
    expect(statuses.slice(0, 6)).toEqual(['200', '200', '200', '409', '402', '200']);
    expect(answers[1]).toContain('"available":"30"');
    expect(answers[2]).toContain('"replayed":true');
    expect(answers[4]).toContain('"shortfall":"70"');
    expect(answers[5]).toContain('"available":"29"');
  });
});
