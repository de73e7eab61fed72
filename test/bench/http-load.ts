import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { median } from './median.js';

/** The load generator, a process of its own: `node http-load.js URL KEY SECONDS [RATE]`. */
const [url, key, seconds, rate] = process.argv.slice(2) as [string, string, string, string?];
const ACCOUNTS = 10_000;
const CONNECTIONS = 64;

const target = `${url}/v1/usage`;
const method = 'POST';
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
let sent = 0;

function nextBody(): string {
  sent += 1;
  const account_id = `acct-${(sent * 7_919) % ACCOUNTS}`;
  const request_id = `http-${process.pid}-${sent}`;
  return JSON.stringify({ request_id, account_id, operation: 'text.generation' });
}

const latencies_ms: number[] = [];
const statuses = new Map<number, number>();

function count(status: number, latency_ms: number): void {
  latencies_ms.push(latency_ms);
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
}

/** As much as the connections carry, each of which sends when it is answered. Resolves with seconds. */
async function saturate(): Promise<number> {
  const setupRequest = (base: autocannon.Request) => ({ ...base, body: nextBody() });
  const options: autocannon.Options = {
    url: target,
    connections: CONNECTIONS,
    duration: Number(seconds),
    requests: [{ method, headers, setupRequest }],
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(options, (error: unknown, ended) =>
      error ? reject(error as Error) : resolve(ended),
    );
    instance.on('response', (_client, status, _bytes, milliseconds) => count(status, milliseconds));
  });
  return result.duration;
}

/**
 * At random moments, so many a second on average, whatever the answers do: autocannon would send the
 * requests of a second all at its beginning. Latency counts from the moment a request was due.
 */
async function pace(per_s: number): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const began = performance.now();
  const until = began + Number(seconds) * 1_000;
  const answers: Promise<void>[] = [];
  for (let due = began; due < until; due += (-Math.log(1 - Math.random()) * 1_000) / per_s) {
    const early_ms = due - performance.now();
    if (early_ms > 0) await delay(early_ms);
    answers.push(post(agent, due));
  }
  await Promise.all(answers);
  agent.destroy();
  return Number(seconds);
}

async function post(agent: Agent, due: number): Promise<void> {
  const sending = request(target, { method, headers, agent }).end(nextBody());
  const [response] = await once(sending, 'response');
  response.resume();
  await once(response, 'end');
  count(response.statusCode, performance.now() - due);
}

const duration = await (rate === undefined ? saturate() : pace(Number(rate)));
latencies_ms.sort((a, b) => a - b);
const answer = {
  per_s: latencies_ms.length / duration,
  p50_ms: median(latencies_ms),
  p99_ms: latencies_ms[Math.floor(latencies_ms.length * 0.99)] ?? Number.NaN,
  statuses: Object.fromEntries(statuses),
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
