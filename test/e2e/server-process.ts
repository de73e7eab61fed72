import type { Ending, LedgerProcess } from '#apps/standalone';

/** A server in a process of its own that can be ended and started again, on the same port. */
export interface ServerProcess {
  /** The same while it is down. */
  readonly url: string;
  readonly pid: number;
  /** False while it is frozen, too. */
  readonly is_at_work: boolean;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** SIGTERM; resolves with how it ended. */
  stop(): Promise<Ending>;
  kill9(): Promise<void>;
  /** SIGSTOP: it is there and does nothing, like a process whose event loop is blocked. */
  freeze(): void;
  thaw(): void;
}

/** `launch` resolves when the process listens; its first port is a free one. */
export function serverProcess(launch: (port: string) => Promise<LedgerProcess>): ServerProcess {
  let url = 'http://127.0.0.1:0';
  let current: LedgerProcess | undefined;
  let is_frozen = false;
  const running = (): LedgerProcess => {
    if (current === undefined) throw new Error('the process does not run');
    return current;
  };

  const end = async (signal: NodeJS.Signals): Promise<Ending> => {
    const { child, ended } = running();
    child.kill(signal);
    const ending = await ended;
    current = undefined;
    return ending;
  };

  return {
    get url() {
      return url;
    },
    get pid() {
      return running().child.pid!;
    },
    get is_at_work() {
      return current !== undefined && !is_frozen;
    },
    async start() {
      current = await launch(new URL(url).port);
      ({ url } = current);
    },
    stop: () => end('SIGTERM'),
    async kill9() {
      await end('SIGKILL');
    },
    freeze() {
      running().child.kill('SIGSTOP');
      is_frozen = true;
    },
    thaw() {
      running().child.kill('SIGCONT');
      is_frozen = false;
    },
  };
}
