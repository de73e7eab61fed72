import { Command } from 'commander';
import { CreditsInput } from '#libs/contracts';
import { numberOption } from '../arguments.js';
import { CouldNotRun } from '../exit-code.js';
import type { CommandContext } from '../program.js';
import { connectGateway } from './gateway.js';
import { importFile } from './import-file.js';
import { parseAccount, parseItem, type AccountSource, type ItemSource } from './mapping.js';
import { sourceName } from './row-request.js';

interface Options {
  readonly account: AccountSource;
  readonly item: readonly ItemSource[];
  readonly requestId?: string;
  readonly occurredAt?: string;
  readonly grant?: string;
  readonly name?: string;
  readonly delimiter: string;
  readonly skipBad: boolean;
  readonly retryRejected: number;
  readonly fromRow: number;
  readonly batchSize: number;
  readonly inFlight: number;
}

const WAIT_SECONDS = 30;
const GIVE_UP_MS = 5 * 60_000;
const RETRY_TOLD_MS = 10_000;

export const importCommand = (context: CommandContext): Command =>
  new Command('import')
    .description('turn a usage file into requests, publish them, wait for their decisions')
    .argument('<file.csv>', 'its first row names the columns')
    .requiredOption('--account <source>', 'COLUMN | const:ID | spread:N accounts', parseAccount)
    .requiredOption(
      '--item <operation=column>',
      'what is billed by which quantity; repeatable; OPERATION=const:1 bills each row once',
      (text, items: readonly ItemSource[] | undefined) => [...(items ?? []), parseItem(text)],
    )
    .option('--request-id <column>', 'default: <file>:<row>:<hash of the row>')
    .option(
      '--occurred-at <column>',
      'when it happened, UTC unless it says otherwise; default: now',
    )
    .option('--grant <credits>', 'give each account a pack of this size first', parseCredits)
    .option('--name <name>', 'stands for the file in request ids; default: its name', parseName)
    .option('--delimiter <character>', "between columns, '\\t' for a tab", parseDelimiter, ',')
    .option(
      '--skip-bad',
      'leave out rows that cannot be billed; without it they are exit 1, and 100 end the run',
      false,
    )
    .addOption(
      numberOption('--retry-rejected <times>', 'ask again for rejected rows, see below', 0, {
        most: 99,
      }),
    )
    .addOption(numberOption('--from-row <number>', 'pass over the rows before it', 1))
    .addOption(numberOption('--batch-size <requests>', 'per call', 1_000, { most: 1_000 }))
    .addOption(
      numberOption('--in-flight <calls>', 'at a time; 1 keeps the order of the file', 4, {
        most: 64,
      }),
    )
    .addHelpText('after', HELP)
    .action((file: string, options: Options, command: Command) =>
      context.run(command, (out) => {
        const { env, signal, clock } = context;
        const gateway = connectGateway({
          url: ledgerUrl(env['LEDGER_URL']),
          key: env['LEDGER_API_KEY'] ?? env['LEDGER_DEV_KEY'],
          signal,
          wait_seconds: WAIT_SECONDS,
          give_up_ms: GIVE_UP_MS,
          on_retry: atMostEvery(RETRY_TOLD_MS, clock, (why) =>
            out.warn(
              'retry',
              { why },
              () => `${why}: trying again, for ${GIVE_UP_MS / 60_000} minutes`,
            ),
          ),
        });
        return importFile(gateway, { ...importOptions(file, options), signal, clock }, out);
      }),
    );

function ledgerUrl(url = 'http://127.0.0.1:8080'): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw new CouldNotRun(`LEDGER_URL must be an http:// or https:// URL: ${url}`);
}

/** Many calls fail at once and again: a person wants to know it once. */
function atMostEvery(
  pause_ms: number,
  clock: () => number,
  report: (why: string) => void,
): (why: string) => void {
  let reported_at = -Infinity;
  return (why) => {
    if (clock() - reported_at < pause_ms) return;
    reported_at = clock();
    report(why);
  };
}

const importOptions = (file: string, options: Options) => ({
  file,
  mapping: {
    account: options.account,
    items: options.item,
    request_id: options.requestId,
    occurred_at: options.occurredAt,
  },
  delimiter: options.delimiter,
  name: options.name,
  grant: options.grant,
  skip_bad: options.skipBad,
  retries: options.retryRejected,
  from_row: options.fromRow,
  batch_size: options.batchSize,
  in_flight: options.inFlight,
  give_up_ms: GIVE_UP_MS,
});

function parseCredits(text: string): string {
  const credits = CreditsInput.safeParse(text);
  if (credits.success) return credits.data.toString();
  throw new CouldNotRun(`--grant ${text} ${credits.error.issues[0]!.message}`);
}

function parseDelimiter(text: string): string {
  if (text === '') throw new CouldNotRun('--delimiter must be a character, such as ;');
  return text === '\\t' ? '\t' : text;
}

function parseName(text: string): string {
  if (sourceName(text) === text) return text;
  throw new CouldNotRun(`--name ${text}: at most 80 characters out of A-Z a-z 0-9 _ . @ -`);
}

const HELP = `
It goes through a running gateway: LEDGER_URL (http://127.0.0.1:8080), LEDGER_API_KEY, else
LEDGER_DEV_KEY. The same command again charges nothing twice: it finds the decisions of the first
run. Two files of one name that may hold the same row at the same place need another --name.

Exit 0 = every row is charged, 1 = not all are: rejected, bad (unless --skip-bad), or its request_id
stands for other content; 2 = could not run to the end.

Request ids count the rows of the file, unless they come out of --request-id. Mend a bad row where
it stands, append new rows at the end. With a row taken out or put in, all rows below are other
requests and are charged again.

A rejection is for ever, too. --retry-rejected 1 asks again for each rejected row, under an id of
its own (<request id>:retry-1) and as of the same time; 2 asks again for those that were rejected
then, and so on. It may be repeated and interrupted like any import. --grant gives each account one
pack in all, however often the file is imported: more credits are granted by
POST /v1/accounts/ACCOUNT/grants.

Example:
  usage-ledger import usage.csv --account customer --item image.generation=images
  usage-ledger import azure.csv --account spread:500 --grant 1000000 --occurred-at TIMESTAMP \\
    --item llm.input_tokens=ContextTokens --item llm.output_tokens=GeneratedTokens`;
