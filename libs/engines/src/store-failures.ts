import { failureFields, type Logger } from '#libs/platform';

const INTERVAL_MS = 10_000;
const MAX_KINDS = 100;

/**
 * Reports calls to the event store that failed and are tried again: at once what is new, and every 10 s
 * what goes on. Several reads fail at the same time and many times a second while the store is away.
 */
export function storeFailures(
  logger: Pick<Logger, 'warn'>,
  elapsed: () => number = () => performance.now(),
): (error: unknown, attempt: number) => void {
  const reported = new Map<string, number>();
  let failures = 0;
  return (error, attempt) => {
    failures += 1;
    const kind = error instanceof Error ? error.message : String(error);
    const at = reported.get(kind);
    if (at !== undefined && elapsed() - at < INTERVAL_MS) return;
    if (reported.size >= MAX_KINDS) reported.clear();
    reported.set(kind, elapsed());
    const fields = { ...failureFields(error), attempt, failures };
    logger.warn(fields, 'event store: a call failed and is tried again');
    failures = 0;
  };
}
