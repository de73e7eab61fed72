import { Option } from 'commander';
import type { MessageCoordinate } from '#libs/contracts';
import { DEV_TENANT } from '#libs/platform';
import { CouldNotRun } from './exit-code.js';

/** Reads an option's value that must be a whole number. */
export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new CouldNotRun(`${text} must be a whole number ${range}`);
  };

export const tenantOption = (): Option =>
  new Option('--tenant <tenant>', 'whose account it is').default(DEV_TENANT);

/** `topic/partition/offset`. Throws CouldNotRun. */
export function coordinateArgument(text: string): MessageCoordinate {
  const [, topic, partition, offset] = /^([^/]+)\/(\d{1,9})\/(\d{1,15})$/.exec(text) ?? [];
  if (topic !== undefined) return { topic, partition: Number(partition), offset: Number(offset) };
  throw new CouldNotRun(`${text} must be topic/partition/offset, such as ledger.usage/3/41`);
}
