import db from '@eventstore/db-client';
import type { RecordedEvent } from '../port.js';
import type { Credentials, DbClient } from './connection.js';

/** Names of users or groups. */
export interface Access {
  readonly writers: readonly string[];
  /** May read, besides the writers. */
  readonly readers: readonly string[];
}

const SETTINGS_STREAM = '$settings';

/**
 * Closes a server whose own default lets every user write and delete: from then on only writers write
 * streams that have no list of their own, only they and readers read them, and only administrators
 * delete or truncate them. Returns whether anything had to be changed. Wants an administrator.
 */
export async function secureDefaultAcl(
  client: DbClient,
  credentials: Credentials | undefined,
  readLast: (stream: string) => Promise<RecordedEvent | undefined>,
  { writers, readers }: Access,
): Promise<boolean> {
  const everybody = [...new Set([...writers, ...readers])];
  const lists = {
    $userStreamAcl: {
      $r: everybody,
      $w: writers,
      $d: '$admins',
      // A reader asks the metadata whether history is whole.
      $mr: everybody,
      $mw: '$admins',
    },
    $systemStreamAcl: {
      $r: ['$admins', ...everybody],
      $w: '$admins',
      $d: '$admins',
      $mr: '$admins',
      $mw: '$admins',
    },
  };
  const settings = await readLast(SETTINGS_STREAM);
  if (settings?.data === JSON.stringify(lists)) return false;
  await client.appendToStream(
    SETTINGS_STREAM,
    db.jsonEvent({ type: 'update-default-acl', data: lists }),
    {
      expectedRevision: settings === undefined ? db.NO_STREAM : BigInt(settings.revision),
      ...(credentials === undefined ? {} : { credentials }),
    },
  );
  return true;
}
