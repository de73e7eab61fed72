import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localCertificate } from '../../../../test/eventstore-server/certificate.js';
import { startEventStoreServer } from '../../../../test/eventstore-server/server.js';
import type { EventStoreServer } from '../../../../test/eventstore-server/server.js';
import * as streams from '../contract/streams.js';
import { connect } from './connection.js';
import { eventStoreDb, type EventStoreDb } from './event-store-db.js';

const { append, appended, create, expectStream, freshPrefix, notes } = streams;

const user = (password: string, ...groups: string[]) => ({ password, groups });
const USERS = {
  admin: user('changeit', '$admins'),
  writer: user('w'),
  reader: user('r'),
  stranger: user('s'),
};

let dir: string;
let server: EventStoreServer;
let stores: EventStoreDb[];
let url: string;

beforeEach(async () => {
  stores = [];
  dir = mkdtempSync(join(tmpdir(), 'eventstore-'));
  const tls = await localCertificate();
  writeFileSync(join(dir, 'authority.pem'), tls.cert);
  server = await startEventStoreServer({ tls, users: USERS });
  url = `${server.url}?tlsCAFile=${encodeURIComponent(join(dir, 'authority.pem'))}`;
});
afterEach(async () => {
  for (const store of stores) await store.close();
  await server.stop();
  rmSync(dir, { recursive: true });
});

function openAs(username: keyof typeof USERS, password = USERS[username].password): EventStoreDb {
  const credentials = { username, password };
  const store = eventStoreDb({ url, credentials, append_timeout_ms: 3_000 });
  stores.push(store);
  return store;
}

const denied = expect.objectContaining({ message: expect.stringMatching(/Access Denied/) });
const refused = { kind: 'refused', why: 'AccessDenied' };

it('everything works over TLS, with the credentials given apart or in the URL', async () => {
  const apart = openAs('admin');
  const inUrl = eventStoreDb({ url: url.replace('//', '//admin:changeit@') });
  stores.push(inUrl);
  const stream = `${freshPrefix()}a`;
  const events = notes('secret', 3);
  await create(apart, stream, events);
  await expectStream(inUrl, stream, events);
  expect(await append(inUrl, stream, -1, events)).toEqual(appended(2));
});

it('a wrong password leaves every append unknown, and says why', async () => {
  const store = openAs('admin', 'wrong');
  expect(await append(store, 'a', -1, notes('a', 1))).toEqual({
    kind: 'unknown',
    why: expect.stringMatching(/Unauthenticated|no answer/),
  });
  await expect(store.readLast('a')).rejects.toThrow(/Unauthenticated/);
});

describe('the default access list', () => {
  const close = (as: EventStoreDb) =>
    as.secureDefaultAcl({ writers: ['writer'], readers: ['reader'] });

  it('is open before: every user may write', async () => {
    expect(await append(openAs('stranger'), 'a', -1, notes('a', 1))).toEqual(appended(0));
  });

  it('closes the server to all but writers, readers and administrators', async () => {
    expect(await close(openAs('admin'))).toBe(true);
    const stream = `${freshPrefix()}a`;
    const events = notes('a', 2);
    const [writer, reader, stranger] = [openAs('writer'), openAs('reader'), openAs('stranger')];
    await create(writer, stream, events);
    expect(await append(stranger, stream, 1, notes('b', 1))).toEqual(refused);
    expect(await append(reader, stream, 1, notes('b', 1))).toEqual(refused);
    await expectStream(reader, stream, events);
    await expectStream(reader, `${stream}/none`, []);
    await expect(stranger.readLast(stream)).rejects.toEqual(denied);
    const { signal } = new AbortController();
    const range = { prefix: stream, after: null, batch_size: 10 };
    const following = streams.collect(stranger.subscribe({ ...range, signal }));
    await expect(following).rejects.toEqual(denied);
    expect(await streams.collect(reader.readAll(range))).toHaveLength(2);
  });

  it('lets only administrators delete, truncate and change it', async () => {
    await close(openAs('admin'));
    const writer = openAs('writer');
    await create(writer, 'a', notes('a', 1));
    const connection = connect(url, { username: 'writer', password: 'w' });
    const credentials = { username: 'writer', password: 'w' };
    const { client } = connection;
    await expect(client.deleteStream('a', { credentials })).rejects.toEqual(denied);
    await expect(client.tombstoneStream('a', { credentials })).rejects.toEqual(denied);
    const truncating = client.setStreamMetadata('a', { truncateBefore: 1 }, { credentials });
    await expect(truncating).rejects.toEqual(denied);
    await expect(writer.secureDefaultAcl({ writers: [], readers: [] })).rejects.toEqual(denied);
    await connection.close();
  });

  it('is set once, and again only when it differs', async () => {
    const admin = openAs('admin');
    expect(await close(admin)).toBe(true);
    expect(await close(admin)).toBe(false);
    expect(await admin.secureDefaultAcl({ writers: ['writer'], readers: [] })).toBe(true);
    expect(await admin.readLast('$settings')).toMatchObject({ revision: 1 });
  });
});
