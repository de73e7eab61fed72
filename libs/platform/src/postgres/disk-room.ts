import { statfs } from 'node:fs/promises';

/** A segment of the write-ahead log: with less, Postgres may find no place for the next one, and ends. */
const LEAST_ROOM_BYTES = 16 * 1024 * 1024;

/**
 * `its disk is full` and how much is left, when it is less than `least_bytes`; undefined when there is room
 * or nobody can tell. Reads need none, so a server on a full disk answers as ever, but writes nothing.
 */
export async function lackOfRoom(
  folder: string,
  least_bytes: number = LEAST_ROOM_BYTES,
): Promise<string | undefined> {
  const room = await statfs(folder).catch(() => undefined);
  if (room === undefined) return undefined;
  const bytes = room.bavail * room.bsize;
  return bytes < least_bytes ? `its disk is full (${bytes} bytes are left)` : undefined;
}
