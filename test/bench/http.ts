import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UsageGatewayModule } from '#apps/usage-gateway';
import { createHttpApp } from '#libs/http';
import { devApiKey } from '#libs/platform';
import type { LedgerUnderTest } from './ledger.js';

export interface HttpResult {
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Answered decisions per second with 64 connections that wait for nothing. */
  readonly capacity_per_s: number;
  readonly at_per_s: number;
}

interface Load {
  readonly per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly statuses: Readonly<Record<string, number>>;
}

const KEY = 'bench';
const GENERATOR = fileURLToPath(new URL('./http-load.js', import.meta.url));

/** Latency of decided single POSTs at a third of the capacity, measured from another process. */
export async function runHttp(ledger: LedgerUnderTest, seconds: number): Promise<HttpResult> {
  const { bus } = ledger.engines;
  const app = await createHttpApp({
    ...ledger.common,
    api: { title: 'bench', description: 'Under load', version: '0' },
    keys: [{ ...devApiKey(KEY), tenant_id: 'bench' }],
    modules: [UsageGatewayModule.register({ ...ledger.common, bus })],
  });
  try {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const url = await app.getUrl();
    await load(url, 1);
    const capacity = await load(url, seconds);
    const third = await load(url, seconds, Math.floor(capacity.per_s / 3));
    return {
      p50_ms: third.p50_ms,
      p99_ms: third.p99_ms,
      capacity_per_s: capacity.per_s,
      at_per_s: third.per_s,
    };
  } finally {
    await app.close();
  }
}

async function load(url: string, seconds: number, rate?: number): Promise<Load> {
  const args = [
    GENERATOR,
    url,
    KEY,
    String(seconds),
    ...(rate === undefined ? [] : [String(rate)]),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const result = JSON.parse(stdout) as Load;
  const statuses = Object.keys(result.statuses);
  if (statuses.join() !== '200') throw new Error(`answers other than 200: ${stdout}`);
  return result;
}
