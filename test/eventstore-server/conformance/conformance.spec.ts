import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CLIENT_DIFFERENCES, RAW_DIFFERENCES, type Difference } from './differences.js';

const run = promisify(execFile);

// Two builds up: this runs from dist, the scripts and transcripts do not.
const file = (name: string) =>
  fileURLToPath(new URL(`../../../../test/eventstore-server/conformance/${name}`, import.meta.url));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

const linesOf = (text: string) => text.trimEnd().split('\n');

/** What the double should print: the transcript, but for the lines that are listed. */
function expected(transcript: readonly string[], differences: readonly Difference[]): string[] {
  const listed = new Map(differences.flatMap(({ lines }) => Object.entries(lines)));
  return transcript.flatMap((line) => (listed.has(line) ? (listed.get(line) ?? []) : [line]));
}

const DELAY = /\+(\d+)s/g;

/** The printed lines, in which an answer may be later than in the transcript, never earlier. */
function forgiveLateness(printed: readonly string[], real: readonly string[]): string[] {
  return printed.map((line, n) => {
    const due = [...(real[n] ?? '').matchAll(DELAY)].map(([, seconds]) => Number(seconds));
    return line.replace(DELAY, (text, seconds: string) => {
      const earliest = due.shift();
      return earliest !== undefined && Number(seconds) >= earliest ? `+${earliest}s` : text;
    });
  });
}

/** A server of its own, as the command line starts it: empty, on a free port. */
async function startServer(): Promise<{ process: ChildProcess; port: string }> {
  const server = spawn(process.execPath, [MAIN, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout)) {
    const port = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return { process: server, port };
  }
  throw new Error('the server ended before it listened');
}

async function play(script: string): Promise<string[]> {
  const server = await startServer();
  try {
    const { stdout } = await run(process.execPath, [file(script), server.port], {
      maxBuffer: 10_000_000,
    });
    return linesOf(stdout);
  } finally {
    server.process.kill();
  }
}

const transcripts = [
  {
    what: "the client's own calls",
    script: 'steps.mjs',
    transcript: 'transcript-23.10.8.txt',
    differences: CLIENT_DIFFERENCES,
  },
  {
    what: 'calls that the client never makes',
    script: 'steps-raw.mjs',
    transcript: 'transcript-raw-23.10.8.txt',
    differences: RAW_DIFFERENCES,
  },
];

/** What the double prints; both scripts wait more than they work, so they run side by side. */
const played = new Map<string, Promise<string[]>>();

beforeAll(() => {
  for (const { script } of transcripts) {
    const lines = play(script);
    lines.catch(() => {}); // the test that awaits it reports it
    played.set(script, lines);
  }
});

describe.each(transcripts)('the transcript of a real 23.10.8: $what', (one) => {
  const { script, transcript, differences } = one;
  const real = linesOf(readFileSync(file(transcript), 'utf8'));

  it('has every line that is listed as differing, and each of them differs', () => {
    for (const { lines } of differences) {
      for (const [line, double] of Object.entries(lines)) {
        expect(real).toContain(line);
        expect(double).not.toBe(line);
      }
    }
  });

  // The steps wait for timeouts of the server and for subscriptions that stay silent: 25 s.
  it('is what the double prints, line by line, but for the lines that are listed', async () => {
    const wanted = expected(real, differences);
    expect(forgiveLateness((await played.get(script))!, wanted)).toEqual(wanted);
  }, 120_000);
});
