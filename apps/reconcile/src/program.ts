import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ContractViolation, InvariantBroken } from '#libs/contracts';
import { CannotStart, ConfigurationError, redact } from '#libs/platform';
import { UnanswerableQuestion } from '#libs/read-models';
import { whoIsAway } from './away.js';
import type { Engines } from './engines.js';
import { CouldNotRun, EXIT, type ExitCode } from './exit-code.js';
import { deadLettersCommand, redriveCommand } from './dead-letters/command.js';
import { explainCommand } from './explain/command.js';
import { importCommand } from './import/command.js';
import { replayCommand } from './replay/command.js';
import { rebuildCommand } from './rebuild/command.js';
import { setAsideCommand } from './set-aside/command.js';
import { statusCommand, unparkCommand } from './status/command.js';
import { verifyCommand } from './verify/command.js';
import { createOutput, type Output, type TextStream } from './output.js';

/** What a command line runs in; replaced in tests. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextStream;
  readonly stderr: NodeJS.WritableStream & TextStream;
  /** Aborted when the person at the terminal has had enough. */
  readonly signal: AbortSignal;
  readonly clock: () => number;
  /** Opens the engines that the environment names. Throws ConfigurationError. */
  readonly openEngines: (env: Surroundings['env']) => Promise<Engines>;
}

export interface CommandContext extends Surroundings {
  /** Does a command's work and keeps its exit code. */
  run(command: Command, work: (out: Output) => Promise<ExitCode>): Promise<void>;
  /** The same with the engines of the ledger, which are closed afterwards. */
  runOnEngines(
    command: Command,
    work: (engines: Engines, out: Output) => Promise<ExitCode>,
  ): Promise<void>;
}

/** Runs one command line, without the name of the program. Never rejects. */
export async function runProgram(
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { stdout, stderr, clock, signal } = surroundings;
  let exit_code: ExitCode = EXIT.fine;
  const context: CommandContext = {
    ...surroundings,
    async run(command, work) {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      exit_code = await work(createOutput({ json, stdout, stderr, clock, signal }));
    },
    async runOnEngines(command, work) {
      const engines = await surroundings.openEngines(surroundings.env);
      try {
        await context.run(command, (out) => work(engines, out));
      } finally {
        await engines.close();
      }
    },
  };
  try {
    const program = programOf(context);
    await program.parseAsync(upToUnknown(argv, program), { from: 'user' });
    return exit_code;
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? EXIT.fine : EXIT.could_not_run;
    const why = signal.aborted ? 'interrupted' : whyOf(error);
    stderr.write(`usage-ledger: ${redact(why)}\n`);
    if (error instanceof InvariantBroken) return EXIT.mismatch;
    return error instanceof CouldNotRun ? error.exit_code : EXIT.could_not_run;
  }
}

function programOf(context: CommandContext): Command {
  const program = new Command('usage-ledger')
    .description('imports usage into the ledger, explains it, verifies it')
    .version(version(), '--version', 'print the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 fine, 1 mismatch found or rows not charged, 2 could not run, 3 nothing by that id.',
    )
    .addCommand(importCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(explainCommand(context))
    .addCommand(replayCommand(context))
    .addCommand(rebuildCommand(context))
    .addCommand(deadLettersCommand(context))
    .addCommand(redriveCommand(context))
    .addCommand(statusCommand(context))
    .addCommand(unparkCommand(context))
    .addCommand(setAsideCommand(context));
  settle(program, context);
  return program;
}

const MANIFEST = new URL('../../../../package.json', import.meta.url);
const version = (): string =>
  (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { version: string }).version;

/**
 * Up to the first word that should be a command and is none; else all of it. Asked for help as well,
 * commander would print that of the program and find nothing wrong.
 */
function upToUnknown(argv: readonly string[], program: Command): readonly string[] {
  const words: string[] = [];
  let command: Command | undefined = program;
  for (const word of argv) {
    if (word.startsWith('-') || word === 'help') continue;
    if (command.commands.length === 0) break;
    words.push(word);
    command = command.commands.find((one) => one.name() === word);
    if (command === undefined) return words;
  }
  return argv;
}

/** What commander does not hand down to commands that were made apart. */
function settle(command: Command, context: CommandContext): void {
  const { stdout, stderr } = context;
  command.option('--json', 'one JSON object per line');
  if (command.commands.length > 0) command.showHelpAfterError('(--help lists the commands)');
  command.exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    writeErr: (text) => void stderr.write(text),
  });
  for (const subcommand of command.commands) settle(subcommand, context);
}

/** A fault of the program shows where it is, anything else only what it is. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const plain = [CouldNotRun, CannotStart, ConfigurationError, ContractViolation, InvariantBroken];
  if (plain.some((kind) => error instanceof kind)) return error.message;
  // Its fields are named as the options are.
  if (error instanceof UnanswerableQuestion) return `--${error.message}`;
  return whoIsAway(error) ?? error.stack ?? error.message;
}
