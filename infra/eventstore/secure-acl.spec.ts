import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GENESIS, linkEvent } from '#libs/contracts';
import { openEventStoreDb } from '#libs/event-store';
import { localCertificate } from '../../test/eventstore-server/certificate.js';
import { startEventStoreServer } from '../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../test/eventstore-server/server.js';

const USERS = {
  admin: { password: 'changeit', groups: ['$admins'] },
  'ledger-writer': { password: 'w', groups: [] },
  'ledger-reader': { password: 'r', groups: [] },
  stranger: { password: 's', groups: [] },
};
const OTHERS = ['--writers', 'stranger', '--readers', 'stranger'];
const LISTS = ['--writers', 'ledger-writer', '--readers', 'ledger-reader'];

let dir: string;
let server: EventStoreServer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'secure-acl-'));
  const tls = await localCertificate();
  writeFileSync(join(dir, 'ca.pem'), tls.cert);
  server = await startEventStoreServer({ tls, users: USERS });
});
afterEach(async () => {
  await server.stop();
  rmSync(dir, { recursive: true });
});

const urlAs = (name: keyof typeof USERS) =>
  `${server.url.replace('//', `//${name}:${USERS[name].password}@`)}?tlsCAFile=${join(dir, 'ca.pem')}`;

/** The program in a process of its own, as an operator runs it. */
const secureAcl = (name: keyof typeof USERS, args = LISTS) =>
  promisify(execFile)(
    process.execPath,
    [fileURLToPath(new URL('./secure-acl.js', import.meta.url)), ...args],
    { env: { EVENTSTORE_URL: urlAs(name) } },
  );

/** What happens to an append to a new stream. */
async function appendAs(name: keyof typeof USERS, stream: string): Promise<string> {
  const store = await openEventStoreDb({ url: urlAs(name), append_timeout_ms: 2_000 });
  const events = [linkEvent(GENESIS, 'Note', '{}').event];
  try {
    const [result] = await store.appendMany([{ stream, expected_revision: -1, events }]);
    return result!.kind;
  } finally {
    await store.close();
  }
}

it('closes the store to everybody but the writers, once', async () => {
  expect(await appendAs('stranger', 'before')).toBe('appended');
  expect((await secureAcl('admin')).stdout).toBe('the default access list is set\n');
  expect(await appendAs('stranger', 'a')).toBe('refused');
  expect(await appendAs('ledger-reader', 'a')).toBe('refused');
  expect(await appendAs('ledger-writer', 'a')).toBe('appended');
  expect((await secureAcl('admin')).stdout).toBe('it was set before\n');
});

it('ends with an error, in plain words, when it may not', async () => {
  await secureAcl('admin');
  const failure: unknown = await secureAcl('ledger-writer', OTHERS).catch(
    (error: unknown) => error,
  );
  const { code, stderr } = failure as { readonly code: number; readonly stderr: string };
  expect({ code, stderr }).toEqual({ code: 1, stderr: 'eventstore:acl: AccessDeniedError\n' });
  expect(await appendAs('stranger', 'b')).toBe('refused');
});
