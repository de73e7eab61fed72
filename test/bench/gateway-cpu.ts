import { execFile } from 'node:child_process';
import { Agent, request } from 'node:http';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import 'reflect-metadata';
import { UsageGatewayModule } from '#apps/usage-gateway';
import {
  encodeDecision,
  fingerprintOf,
  instantOf,
  TOPICS,
  type Decision,
  type UsageRequested,
} from '#libs/contracts';
import { createHttpApp } from '#libs/http';
import { memoryMessageBus, type MessageBus, type OutgoingMessage } from '#libs/message-bus';
import { createHealth, createLogger, createMetrics, devApiKey } from '#libs/platform';

const HELP = `node dist/test/bench/gateway-cpu.js [--batch N] [--prefer wait=N]

CPU time of Node per request answered by the usage gateway. Another process makes the load; a bus
that says yes to everything stands in for the bus and the writer (some 5 µs of what is shown).

  --batch N   POST /v1/usage/batch with N requests each, instead of single POST /v1/usage
  --prefer P  the header Prefer (default wait=10)`;

const { values } = parseArgs({
  options: {
    batch: { type: 'string' },
    prefer: { type: 'string', default: 'wait=10' },
    load: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const BATCH = values.batch === undefined ? undefined : Number(values.batch);
const SIZE = BATCH ?? 1;
const KEY = 'bench';
const ACCOUNTS = 1_000;
const REQUESTS = BATCH === undefined ? 20_000 : 200_000;
const ROUNDS = 5;
const IN_FLIGHT = BATCH === undefined ? 64 : 4;

const usage = (round: number, index: number) => ({
  account_id: `acct-${(index * 7_919) % ACCOUNTS}`,
  request_id: `round-${round}-request-${index}`,
  operation: 'text.generation',
});

/** The load generator: a round of requests, each answered. */
async function load(url: string, round: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const post = (path: string, body: unknown) =>
    new Promise<void>((resolve, reject) => {
      const payload = JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${KEY}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
        prefer: values.prefer,
      };
      const sent = request(url + path, { method: 'POST', agent, headers }, (response) => {
        const status = response.statusCode!;
        response.resume().once('end', resolve).once('error', reject);
        if (status >= 300) reject(new Error(`${path}: ${status}`));
      });
      sent.once('error', reject).end(payload);
    });
  let next = 0;
  const worker = async () => {
    while (next < REQUESTS / SIZE) {
      const first = SIZE * next++;
      const requests = Array.from({ length: SIZE }, (_, i) => usage(round, first + i));
      if (BATCH === undefined) await post('/v1/usage', requests[0]);
      else await post('/v1/usage/batch', { requests });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  agent.destroy();
}

/** Says yes to everything, so that next to nothing but the gateway is measured. */
function consentingBus(): MessageBus {
  const bus = memoryMessageBus({ topics: Object.values(TOPICS), partitions: 1 });
  const timestamp = instantOf(Date.now());
  let offset = 0;
  const consentTo = ({ key, value, headers = {} }: OutgoingMessage) => {
    const request = JSON.parse(value as string) as UsageRequested;
    const decision: Decision = {
      tenant_id: request.tenant_id,
      account_id: request.account_id,
      request_id: request.request_id,
      fingerprint: fingerprintOf(request),
      outcome: 'consumed',
      credits: 1n,
      balance_after: { available: 1_000_000n, reserved: 0n },
      revision: offset++,
      recorded_at: timestamp,
      replayed: false,
    };
    const coordinate = { topic: TOPICS.decisions, partition: 0, offset, timestamp };
    return { ...coordinate, key, value: encodeDecision(decision), headers };
  };
  let deliver: Parameters<MessageBus['tail']>[1] = () => {};
  return {
    ...bus,
    async tail(_topic, handler) {
      deliver = handler;
      return { assigned: () => [0], close: async () => {} };
    },
    async publish(_topic, messages) {
      setImmediate(() => deliver(messages.map(consentTo)));
    },
  };
}

async function measure(): Promise<void> {
  const common = {
    health: createHealth(),
    metrics: createMetrics(),
    logger: createLogger('bench', 'info', new PassThrough().resume()),
  };
  const bus = consentingBus();
  const app = await createHttpApp({
    ...common,
    api: { title: 'bench', description: 'Under load', version: '0' },
    keys: [devApiKey(KEY)],
    modules: [UsageGatewayModule.register({ ...common, bus })],
  });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = process.cpuUsage();
    const began = performance.now();
    const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)];
    await promisify(execFile)(process.execPath, [...args, '--load', `${url} ${round}`]);
    const seconds = (performance.now() - began) / 1_000;
    const { user, system } = process.cpuUsage(before);
    const cpu = `${((user + system) / REQUESTS).toFixed(1)} µs of CPU per request`;
    const per_s = (REQUESTS / seconds).toFixed(0);
    console.log(`round ${round}: ${cpu} (system ${(system / REQUESTS).toFixed(1)}), ${per_s}/s`);
  }
  await app.close();
}

if (values.help) console.log(HELP);
else if (values.load === undefined) await measure();
else {
  const [url, round] = values.load.split(' ');
  await load(url!, Number(round));
}
