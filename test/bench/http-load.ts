import autocannon from 'autocannon';
import { median } from './median.js';

/** The load generator, a process of its own: `node http-load.js URL KEY SECONDS [RATE]`. */
const [url, key, seconds, rate] = process.argv.slice(2) as [string, string, string, string?];
const ACCOUNTS = 10_000;
const CONNECTIONS = 64;

const latencies_ms: number[] = [];
const statuses = new Map<number, number>();
let sent = 0;

const options: autocannon.Options = {
  url: `${url}/v1/usage`,
  connections: CONNECTIONS,
  duration: Number(seconds),
  ...(rate !== undefined && { overallRate: Number(rate) }),
  requests: [
    {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      setupRequest: (request) => {
        sent += 1;
        const account_id = `acct-${(sent * 7_919) % ACCOUNTS}`;
        const request_id = `http-${process.pid}-${sent}`;
        const body = JSON.stringify({ request_id, account_id, operation: 'text.generation' });
        return { ...request, body };
      },
    },
  ],
};

const result = await new Promise<autocannon.Result>((resolve, reject) => {
  const instance = autocannon(options, (error: unknown, ended) =>
    error ? reject(error as Error) : resolve(ended),
  );
  instance.on('response', (_client, status, _bytes, milliseconds) => {
    latencies_ms.push(milliseconds);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  });
});
latencies_ms.sort((a, b) => a - b);
const answer = {
  per_s: latencies_ms.length / result.duration,
  p50_ms: median(latencies_ms),
  p99_ms: latencies_ms[Math.floor(latencies_ms.length * 0.99)] ?? Number.NaN,
  statuses: Object.fromEntries(statuses),
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
