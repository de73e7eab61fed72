import type { Readable } from 'node:stream';
import {
  endingOf,
  spawnCli,
  type Ending,
  type Environment,
  type ThrowAway,
} from '#apps/standalone';

/** How a command ended. */
export interface CommandRun {
  readonly ending: Ending;
  readonly stdout: string;
  readonly stderr: string;
  /** The objects of type `type` that it printed with --json. */
  lines<T = Record<string, unknown>>(type: string): T[];
}

export interface RunningCommand {
  readonly ended: Promise<CommandRun>;
  kill(signal: NodeJS.Signals): void;
}

/** `usage-ledger …` as a process of its own. */
export function startCommand(
  kept: ThrowAway,
  args: readonly string[],
  env: Environment,
): RunningCommand {
  const child = spawnCli(args, env, 'pipe');
  kept.adopt(child);
  const [out, err] = [textOf(child.stdout!), textOf(child.stderr!)];
  const ended = Promise.all([endingOf(child), out, err]).then(([ending, stdout, stderr]) => ({
    ending,
    stdout,
    stderr,
    lines: <T>(type: string) => linesOf<T>(stdout, type),
  }));
  return {
    ended,
    kill: (signal) => void child.kill(signal),
  };
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += chunk;
  return text;
}

const linesOf = <T>(stdout: string, type: string): T[] =>
  stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as T & { readonly type: string })
    .filter((line) => line.type === type);
