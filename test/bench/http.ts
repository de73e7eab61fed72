import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { devApiKey, type ApiKey } from '#libs/platform';
import { cpuPerRequest, type CpuClock, type CpuTimes } from './cpu.js';
import { TENANT } from './requests.js';

export interface HttpResult<Name extends string = string> {
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Answered decisions per second with 64 connections that wait for nothing. */
  readonly capacity_per_s: number;
  readonly at_per_s: number;
  /** CPU per answer at full load. */
  readonly cpu_us: CpuTimes<Name>;
}

interface Load {
  readonly per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly statuses: Readonly<Record<string, number>>;
}

const KEY = 'bench';
export const BENCH_KEY: ApiKey = { ...devApiKey(KEY), tenant_id: TENANT };
const GENERATOR = fileURLToPath(new URL('./http-load.js', import.meta.url));

/** Latency of decided single POSTs at a third of the capacity, measured from another process. */
export async function runHttp<Name extends string>(
  url: string,
  seconds: number,
  cpu: CpuClock<Name>,
): Promise<HttpResult<Name>> {
  await load(url, 1);
  const before = cpu();
  const capacity = await load(url, seconds);
  const cpu_us = cpuPerRequest(before, cpu(), capacity.statuses['200']!);
  const third = await load(url, seconds, Math.floor(capacity.per_s / 3));
  return {
    p50_ms: third.p50_ms,
    p99_ms: third.p99_ms,
    capacity_per_s: capacity.per_s,
    at_per_s: third.per_s,
    cpu_us,
  };
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
