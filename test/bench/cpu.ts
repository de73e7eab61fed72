import { readdirSync, readFileSync } from 'node:fs';

/** CPU time used so far, in microseconds. */
export interface CpuTime {
  readonly node: number;
  /** The server with all its processes; NaN where /proc does not tell. */
  readonly postgres: number;
}

const TICK_US = 10_000;

export function cpuTime(postmaster_pid: number): CpuTime {
  const { user, system } = process.cpuUsage();
  return { node: user + system, postgres: treeTime(postmaster_pid) };
}

/** The process and its children, those that ended included. */
function treeTime(pid: number): number {
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
