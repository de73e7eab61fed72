import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CannotStart } from './listening.js';
import { describeError } from './secret.js';

/** Somebody has to do something about the folder that the data is kept in. */
export function unusableFolder(data_dir: string, cause: unknown): CannotStart {
  if (cause instanceof CannotStart) return cause;
  const why = describeError(cause);
  return new CannotStart(`the data directory ${resolve(data_dir)} cannot be used: ${why}`, {
    cause,
  });
}

/** Makes the folder unless it is there. Throws CannotStart when this process may not write there. */
export async function makeDataFolder(data_dir: string): Promise<void> {
  try {
    // Of a disk that is read-only, or not this user's, mkdir says that the folder does not exist.
    await access(await nearestFolder(resolve(data_dir)), constants.W_OK);
    await mkdir(data_dir, { recursive: true });
  } catch (error) {
    throw unusableFolder(data_dir, error);
  }
}

/** The path itself, or what lies above it and exists. */
async function nearestFolder(path: string): Promise<string> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  return exists || dirname(path) === path ? path : nearestFolder(dirname(path));
}
