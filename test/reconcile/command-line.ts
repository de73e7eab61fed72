import { Writable } from 'node:stream';
import { runProgram, type Engines, type ExitCode } from '#apps/reconcile';

interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly engines?: Omit<Engines, 'close'>;
}

export interface CommandLine {
  readonly exit_code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON lines of stdout. */
  readonly lines: Record<string, unknown>[];
}

/** Runs `usage-ledger` in this process, as on no terminal. */
export async function commandLine(
  argv: readonly string[],
  { env = {}, signal = new AbortController().signal, engines }: Surroundings = {},
): Promise<CommandLine> {
  const stdout = collector();
  const stderr = collector();
  const exit_code = await runProgram(argv, {
    env,
    stdout,
    stderr,
    signal,
    clock: Date.now,
    async openEngines() {
      if (engines === undefined) throw new Error('the test gave no engines');
      return { ...engines, close: async () => {} };
    },
  });
  const lines = argv.includes('--json')
    ? stdout.text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
  return { exit_code, stdout: stdout.text, stderr: stderr.text, lines };
}

function collector(): Writable & { text: string } {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      collected.text += String(chunk);
      done();
    },
  });
  const collected = Object.assign(stream, { text: '' });
  return collected;
}
