import { status, type Metadata } from '@grpc/grpc-js';
import { grpcError } from './errors.js';
import type { Store } from './store.js';

export interface User {
  readonly password: string;
  /** `$admins` may do everything. */
  readonly groups: readonly string[];
}

export type Users = Readonly<Record<string, User>>;

/** Read, write, delete a stream; read and write its metadata. */
export type Right = '$r' | '$w' | '$d' | '$mr' | '$mw';

type Acl = Readonly<Record<string, string | readonly string[]>>;

/** Who calls, as the names that an access list may hold; undefined: may do everything. */
export type Caller = readonly string[] | undefined;

export const DEFAULT_USERS: Users = {
  admin: { password: 'changeit', groups: ['$admins'] },
  ops: { password: 'changeit', groups: ['$ops'] },
};

/** Without users the server is insecure: everybody may do everything. */
export function authenticate(metadata: Metadata, users: Users | undefined): Caller {
  if (users === undefined) return undefined;
  const header = metadata.get('authorization')[0];
  if (header === undefined) return [];
  const [name = '', password] = Buffer.from(String(header).replace(/^Basic /i, ''), 'base64')
    .toString('utf8')
    .split(':');
  const user = Object.hasOwn(users, name) ? users[name] : undefined;
  if (user === undefined || user.password !== password) {
    throw grpcError(status.UNAUTHENTICATED, 'Unauthenticated');
  }
  return user.groups.includes('$admins') ? undefined : ['$all', name, ...user.groups];
}

const OPEN: Acl = { $r: '$all', $w: '$all', $d: '$all', $mr: '$all', $mw: '$all' };

/** A stream's own access list, else the default one in `$settings`, else the server's own. */
export function isAllowed(store: Store, caller: Caller, name: string, right: Right): boolean {
  if (caller === undefined) return true;
  if (name.startsWith('$$')) {
    return isAllowed(store, caller, name.slice(2), right === '$r' ? '$mr' : '$mw');
  }
  const isSystem = name.startsWith('$');
  const own = store.metadata(name).$acl?.[right];
  const byDefault = defaultAcl(store, isSystem ? '$systemStreamAcl' : '$userStreamAcl')[right];
  const roles = own ?? byDefault ?? (isSystem ? [] : OPEN[right]) ?? [];
  return [roles].flat().some((role) => caller.includes(role));
}

function defaultAcl(store: Store, kind: '$userStreamAcl' | '$systemStreamAcl'): Acl {
  const settings = store.stream('$settings')?.events.at(-1);
  if (settings?.type !== 'update-default-acl') return {};
  return (JSON.parse(settings.data.toString('utf8')) as Record<string, Acl>)[kind] ?? {};
}
