import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataFolder, type Configuration } from '#libs/platform';

interface DevKey {
  readonly key: string;
  /** Made by this start: nobody has seen it yet. */
  readonly is_new: boolean;
}

/**
 * The development key of a ledger on this machine: LEDGER_DEV_KEY, else the one that the first start
 * left in the data directory. Undefined where keys are configured: then only those open it.
 */
export async function devKeyOf(configuration: Configuration): Promise<DevKey | undefined> {
  const { dev_key, api_keys, data_dir } = configuration;
  if (dev_key) return { key: dev_key.reveal(), is_new: false };
  if (api_keys.length > 0) return undefined;
  const file = join(data_dir, 'dev-key');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept) return { key: kept.trim(), is_new: false };
  const key = `dev-${randomBytes(12).toString('hex')}`;
  await makeDataFolder(data_dir);
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return { key, is_new: true };
}
