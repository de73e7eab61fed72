import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that each process has used so far, in microseconds. */
export type CpuTimes<Name extends string = string> = Readonly<Record<Name, number>>;
export type CpuClock<Name extends string = string> = () => CpuTimes<Name>;

const TICK_US = 10_000;

export const cpuClock =
  <Name extends string>(processes: Readonly<Record<Name, () => number>>): CpuClock<Name> =>
  () =>
    each(processes, (time) => time());

/** Per request, when the times of `before` and `after` lie around so many. */
export const cpuPerRequest = <Name extends string>(
  before: CpuTimes<Name>,
  after: CpuTimes<Name>,
  requests: number,
): CpuTimes<Name> => each(after, (time, name) => (time - before[name]) / requests);

export const each = <Name extends string, From, To>(
  record: Readonly<Record<Name, From>>,
  map: (value: From, name: Name) => To,
): Record<Name, To> =>
  Object.fromEntries(
    Object.entries<From>(record).map(([name, value]) => [name, map(value, name as Name)]),
  ) as Record<Name, To>;

export function thisProcess(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** NaN where /proc does not tell. */
export function oneProcess(pid: number | undefined): number {
  try {
    const { utime, stime } = statOf(pid!);
    return (utime + stime) * TICK_US;
  } catch {
    return Number.NaN;
  }
}

/** The process and its children, those that ended included; NaN where /proc does not tell. */
export function processTree(pid: number): number {
  try {
    const own = statOf(pid);
    let ticks = own.utime + own.stime + own.cutime + own.cstime;
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const stat = tryStat(Number(name));
      if (stat?.parent === pid) ticks += stat.utime + stat.stime;
    }
    return ticks * TICK_US;
  } catch {
    return Number.NaN;
  }
}

function tryStat(pid: number) {
  try {
    return statOf(pid);
  } catch {
    return undefined; // ended meanwhile
  }
}

/** Fields 4 and 14–17 of /proc/<pid>/stat, see proc(5). The command may hold spaces. */
function statOf(pid: number) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const at = (field: number) => Number(fields[field - 3]);
  return { parent: at(4), utime: at(14), stime: at(15), cutime: at(16), cstime: at(17) };
}
