import { Command, Option } from 'commander';
import { accountKey, DEAD_LETTER_REASONS, type DeadLetterReason } from '#libs/contracts';
import { MAX_PAGE } from '#libs/read-models';
import { coordinateArgument, numberOption, tenantOf } from '../arguments.js';
import type { CommandContext } from '../program.js';
import { listDeadLetters } from './list.js';
import { redrive, REDRIVEN_BY_DEFAULT } from './redrive.js';

type Coordinate = ReturnType<typeof coordinateArgument>;

const reasonOption = (description: string): Option =>
  new Option('--reason <reason...>', description).choices(DEAD_LETTER_REASONS);

export const deadLettersCommand = (context: CommandContext): Command =>
  new Command('dead-letters')
    .description('messages that were not decided')
    .addCommand(listCommand(context));

interface ListOptions {
  readonly tenant?: string;
  readonly reason?: DeadLetterReason[];
  readonly open: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

const listCommand = (context: CommandContext): Command =>
  new Command('list')
    .description('the last filed first')
    .option('--tenant <tenant>', 'of this tenant only')
    .addOption(reasonOption('for these reasons only'))
    .option('--open', 'only those that were not redriven', false)
    .addOption(numberOption('--limit <number>', 'at most', 50, { most: MAX_PAGE }))
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', '\nExample:\n  usage-ledger dead-letters list --open --reason conflict')
    .action(({ tenant, reason, ...page }: ListOptions, command: Command) =>
      context.runOnEngines(command, ({ pool }, out) =>
        listDeadLetters(pool, { tenant_id: tenant, reasons: reason, ...page }, out),
      ),
    );

interface RedriveOptions {
  readonly tenant?: string;
  readonly reason?: DeadLetterReason[];
  readonly id?: Coordinate;
  readonly account?: string;
}

export const redriveCommand = (context: CommandContext): Command =>
  new Command('redrive')
    .description('publish dead letters again: the same bytes, key and topic, in their order')
    .addOption(reasonOption(`default: ${REDRIVEN_BY_DEFAULT.join(', ')}`))
    .option(
      '--id <topic/partition/offset>',
      'only this one, also when its reason is not of the default',
      coordinateArgument,
    )
    .option('--account <account>', 'of this account only')
    .option('--tenant <tenant>', 'of this tenant only (default: all); with --account: whose it is')
    .addHelpText('after', HELP)
    .action(({ tenant, reason, id, account }: RedriveOptions, command: Command) =>
      context.runOnEngines(command, (engines, out) =>
        redrive(
          engines,
          {
            reasons: reason ?? (id ? undefined : REDRIVEN_BY_DEFAULT),
            source: id,
            tenant_id: account === undefined ? tenant : undefined,
            account:
              account === undefined
                ? undefined
                : accountKey(tenantOf(tenant, context.env), account),
          },
          out,
        ),
      ),
    );

const HELP = `
They go the way of every message: what was decided meanwhile is found, not charged again. Those of a
parked account are left: unpark it first.

Refused, since the same bytes can never be decided: undecodable, wrong_key, wrong_topic, too_large,
conflict. invalid_request helps only after a writer was deployed that takes them; occurred_in_future
once that time has passed; stamped_in_future once the broker's clock is right.

Examples:
  usage-ledger redrive --reason unknown_schema
  usage-ledger redrive --id ledger.usage/3/41`;
