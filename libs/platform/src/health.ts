import { problemOf } from './problem.js';
import { describeError } from './secret.js';

/** Resolves to why it fails, or to undefined when all is well. A rejection counts as a failure. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>;

export interface HealthReport {
  readonly status: 'ok' | 'failing';
  /** By name: `ok`, or why not. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Liveness: restart the process when it fails. Readiness: send it no work while it fails. */
export type HealthKind = 'liveness' | 'readiness';

export interface Health {
  /** Returns what removes the check. Throws when the name is taken. */
  add(kind: HealthKind, name: string, check: HealthCheck): () => void;
  /** Never rejects and never hangs: a check that takes longer than its deadline fails. */
  report(kind: HealthKind): Promise<HealthReport>;
}

/** A check must answer within this time. */
const CHECK_TIMEOUT_MS = 2_000;

export function createHealth({ timeout_ms = CHECK_TIMEOUT_MS } = {}): Health {
  const checks = {
    liveness: new Map<string, HealthCheck>(),
    readiness: new Map<string, HealthCheck>(),
  };
  return {
    add(kind, name, check) {
      if (checks[kind].has(name)) throw new Error(`there is a ${kind} check ${name} already`);
      checks[kind].set(name, check);
      return () => void checks[kind].delete(name);
    },
    async report(kind) {
      const results = await Promise.all(
        [...checks[kind]].map(async ([name, check]) => {
          return [name, (await run(check, timeout_ms)) ?? 'ok'] as const;
        }),
      );
      const failing = results.some(([, result]) => result !== 'ok');
      return { status: failing ? 'failing' : 'ok', checks: Object.fromEntries(results) };
    },
  };
}

async function run(check: HealthCheck, timeout_ms: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${timeout_ms} ms`), timeout_ms);
  });
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return describeError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** What fails and why, as problem details: 503. */
export function healthProblem(kind: HealthKind, { checks }: HealthReport) {
  const code = kind === 'liveness' ? 'not_alive' : 'not_ready';
  const failing = Object.entries(checks).filter(([, result]) => result !== 'ok');
  const detail = failing.map(([name, result]) => `${name}: ${result}`).join('; ');
  return problemOf(503, code, detail, { checks });
}
