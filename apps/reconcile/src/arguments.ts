import { Option } from 'commander';
import type { MessageCoordinate } from '#libs/contracts';
import { DEV_TENANT, parseConfiguration } from '#libs/platform';
import { CouldNotRun } from './exit-code.js';
import type { Surroundings } from './program.js';

/** An option whose value must be a whole number from 1. */
export function numberOption(
  flags: string,
  description: string,
  given: number | undefined,
  { most = Number.MAX_SAFE_INTEGER } = {},
): Option {
  const option = new Option(flags, description).default(given);
  return option.argParser((text): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= 1 && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? 'from 1' : `from 1 to ${most}`;
    throw new CouldNotRun(`${option.long} ${text}: must be a whole number ${range}`);
  });
}

export const tenantOption = (): Option =>
  new Option('--tenant <tenant>', `whose account it is; embedded: ${DEV_TENANT} unless said`);

/**
 * The tenant that is meant. When any engine is a server there is no default: the wrong one would say
 * that a request was never decided. Throws CouldNotRun, or ConfigurationError.
 */
export function tenantOf(tenant: string | undefined, env: Surroundings['env']): string {
  if (tenant !== undefined) return tenant;
  const { message_bus, event_store, postgres } = parseConfiguration(env);
  const engines = [message_bus, event_store, postgres];
  if (engines.every(({ kind }) => kind === 'embedded')) return DEV_TENANT;
  throw new CouldNotRun('give --tenant: whose account is it?');
}

/** `topic/partition/offset`, of `--id`. Throws CouldNotRun. */
export function coordinateArgument(text: string): MessageCoordinate {
  const [, topic, partition, offset] = /^([^/]+)\/(\d{1,9})\/(\d{1,15})$/.exec(text) ?? [];
  if (topic !== undefined) return { topic, partition: Number(partition), offset: Number(offset) };
  throw new CouldNotRun(`--id ${text}: must be topic/partition/offset, such as ledger.usage/3/41`);
}
