import type { ContestResult, EmbeddedResult } from './contest.js';
import type { DistributedResult } from './distributed.js';
import type { HttpResult } from './http.js';

const NAME = 22;
const UNIFORM = '10,000 accounts';
const HOT = 'one hot account';

/** A name and numbers under right-aligned headings. */
const line = (name: string, cells: readonly string[], width: number): string =>
  name.padEnd(NAME) + cells.map((cell) => cell.padStart(width)).join('');

const latency = (http: HttpResult): string =>
  `HTTP, single POSTs: capacity ${Math.round(http.capacity_per_s)}/s; ` +
  `at ${Math.round(http.at_per_s)}/s p50 ${http.p50_ms.toFixed(1)} ms, ` +
  `p99 ${http.p99_ms.toFixed(1)} ms`;

export function embeddedTable({ uniform, hot, http }: EmbeddedResult): string {
  const width = 13;
  const row = (name: string, result: ContestResult) => {
    const cells = [
      Math.round(result.decisions_per_s).toString(),
      `${result.ratio_diy_naive.toFixed(1)}x`,
      `${result.ratio_diy_batched.toFixed(2)}x`,
      result.cpu_us_node.toFixed(1),
      result.cpu_us_postgres.toFixed(1),
    ];
    return line(name, cells, width);
  };
  return [
    line('decisions', ['per s', 'vs naive', 'vs batched', 'node µs', 'postgres µs'], width),
    row(UNIFORM, uniform),
    row(HOT, hot),
    latency(http),
  ].join('\n');
}

/** CPU of `load` is not the ledger's; of HTTP's load generator, a process apart, none is shown. */
export function distributedTable({ uniform, hot, http }: DistributedResult): string {
  const width = 12;
  const row = (name: string, per_s: number, cpu_us: Readonly<Record<string, number>>) =>
    line(
      name,
      [per_s, ...Object.values(cpu_us)].map((value) => String(Math.round(value))),
      width,
    );
  return [
    line('', ['', 'CPU in µs per decision'], width),
    line('decisions', ['per s', ...Object.keys(uniform.cpu_us)], width),
    row(UNIFORM, uniform.decisions_per_s, uniform.cpu_us),
    row(HOT, hot.decisions_per_s, hot.cpu_us),
    row('HTTP, single POSTs', http.capacity_per_s, http.cpu_us),
    latency(http),
  ].join('\n');
}
