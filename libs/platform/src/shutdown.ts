import type { Logger } from './logger.js';

interface ShutdownOptions {
  readonly logger: Pick<Logger, 'info' | 'error' | 'fatal'>;
  /** All steps together; what is not done by then is left undone. */
  readonly total_ms?: number;
  /** Ends the process; replaced in tests. */
  readonly exit?: (code: number) => void;
}

export interface Shutdown {
  /**
   * Adds what has to be stopped. Steps run one after the other, last added first: what was opened
   * last is closed first, so a step may use whatever was opened before it. The signal is aborted
   * when the time is up.
   */
  step(name: string, stop: (signal: AbortSignal) => Promise<unknown> | void): void;
  /** Runs the steps once, whoever asks how often. Resolves with the exit code; never rejects. */
  run(reason: string, code?: number): Promise<number>;
  isStopping(): boolean;
  /**
   * SIGTERM or SIGINT: run and exit; a second one exits at once. An error that nobody caught is
   * logged and ends the process in the same orderly way, with code 1. Returns what takes the
   * listeners away.
   */
  listen(source?: NodeJS.EventEmitter): () => void;
}

/** What a process allows itself from the signal to its end. */
export const SHUTDOWN_MS = 20_000;
const EXIT_SIGNALLED = { SIGINT: 130, SIGTERM: 143 } as const;
const LATE = Symbol('late');

export function createShutdown(options: ShutdownOptions): Shutdown {
  const { logger, total_ms = SHUTDOWN_MS, exit = (code) => process.exit(code) } = options;
  const steps: { name: string; stop: (signal: AbortSignal) => Promise<unknown> | void }[] = [];
  let running: Promise<number> | undefined;

  async function runSteps(reason: string, code: number): Promise<number> {
    logger.info({ reason }, 'stopping');
    const deadline = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<typeof LATE>((resolve) => {
      timer = setTimeout(() => {
        deadline.abort(new Error(`shutdown took longer than ${total_ms} ms`));
        resolve(LATE);
      }, total_ms);
    });
    let exit_code = code;
    for (let step = steps.pop(); step; step = steps.pop()) {
      const { name, stop } = step;
      try {
        const done = Promise.resolve(stop(deadline.signal));
        if ((await Promise.race([done, late])) !== LATE) continue;
        // Given up on: an error that it still throws is of no consequence.
        done.catch(() => {});
        const left = [name, ...steps.map((undone) => undone.name).reverse()];
        logger.error({ left_undone: left, total_ms }, 'out of time while stopping');
        exit_code ||= 1;
        break;
      } catch (err) {
        logger.error({ err, step: name }, 'a shutdown step failed');
        exit_code ||= 1;
      }
    }
    clearTimeout(timer);
    logger.info({ exit_code }, 'stopped');
    return exit_code;
  }

  // A moment later, so that a step that asks finds it running.
  const run = (reason: string, code = 0): Promise<number> =>
    (running ??= Promise.resolve().then(() => runSteps(reason, code)));

  return {
    step(name, stop) {
      steps.push({ name, stop });
    },
    run,
    isStopping: () => running !== undefined,
    listen(source: NodeJS.EventEmitter = process) {
      const onSignal = (signal: keyof typeof EXIT_SIGNALLED) => {
        if (running) return exit(EXIT_SIGNALLED[signal]);
        void run(signal).then(exit);
      };
      const onError = (err: unknown) => {
        logger.fatal({ err }, 'an error that nobody caught');
        void run('uncaught error', 1).then((code) => exit(code || 1));
      };
      const listeners = {
        SIGTERM: onSignal,
        SIGINT: onSignal,
        uncaughtException: onError,
        unhandledRejection: onError,
      };
      for (const [event, listener] of Object.entries(listeners)) source.on(event, listener);
      return () => {
        for (const [event, listener] of Object.entries(listeners)) source.off(event, listener);
      };
    },
  };
}
