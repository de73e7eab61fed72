import cliProgress from 'cli-progress';
import { encodeJson } from '#libs/contracts';

export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** What a command says: text for a person, or one JSON object per line. */
export interface Output {
  /** A result. `kind` is the `type` of the JSON line. */
  report(kind: string, facts: Readonly<Record<string, unknown>>, text: () => string): void;
  /** What a person must see although it is no result; on stderr, or a JSON line. */
  warn(kind: string, facts: Readonly<Record<string, unknown>>, text: () => string): void;
  /** Starts a bar on a terminal; `total` is null while nobody knows it. */
  progress(label: string, total: number | null): Progress;
}

export interface Progress {
  /** `done` out of the total; `note` is shown behind it. Throws when the command is interrupted. */
  at(done: number, note?: string): void;
  stop(): void;
}

interface OutputOptions {
  readonly json: boolean;
  readonly stdout: TextStream;
  readonly stderr: NodeJS.WritableStream & TextStream;
  readonly clock: () => number;
  /** Once it is aborted, the next progress is refused: long work ends there. */
  readonly signal: AbortSignal;
}

const PROGRESS_LINE_MS = 1_000;

export function createOutput(options: OutputOptions): Output {
  const out = options.json ? jsonOutput(options) : textOutput(options);
  return {
    ...out,
    progress(label, total) {
      const progress = out.progress(label, total);
      return {
        at(done, note) {
          options.signal.throwIfAborted();
          progress.at(done, note);
        },
        stop: () => progress.stop(),
      };
    },
  };
}

function jsonOutput({ stdout, clock }: OutputOptions): Output {
  const report: Output['report'] = (type, facts) =>
    void stdout.write(`${encodeJson({ type, ...facts })}\n`);
  return {
    report,
    warn: report,
    progress(label, total) {
      let next_ms = clock() + PROGRESS_LINE_MS;
      return {
        at(done, note) {
          if (clock() < next_ms) return;
          next_ms = clock() + PROGRESS_LINE_MS;
          report('progress', { label, done, total, ...(note && { note }) }, () => '');
        },
        stop: () => {},
      };
    },
  };
}

function textOutput({ stdout, stderr }: OutputOptions): Output {
  let bar: cliProgress.SingleBar | undefined;
  // A line that is printed while a bar stands would be drawn over.
  const above = (to: TextStream, text: string) => {
    if (bar && to.isTTY) stderr.write('\r\u001b[K');
    to.write(text.endsWith('\n') ? text : `${text}\n`);
  };
  return {
    report: (_kind, _facts, text) => above(stdout, text()),
    warn: (_kind, _facts, text) => above(stderr, text()),
    progress(label, total) {
      if (!stderr.isTTY) return { at: () => {}, stop: () => {} };
      const counted = total === null ? '{value}' : '{bar} {percentage}% | {eta_formatted} left';
      const mine = new cliProgress.SingleBar(
        { format: `${label} ${counted} | {note}`, stream: stderr, clearOnComplete: true },
        cliProgress.Presets.shades_classic,
      );
      bar = mine;
      mine.start(total ?? Number.MAX_SAFE_INTEGER, 0, { note: '' });
      return {
        at: (done, note = '') => mine.update(done, { note }),
        stop() {
          mine.stop();
          if (bar === mine) bar = undefined;
        },
      };
    },
  };
}
