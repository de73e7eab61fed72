import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import db from '@eventstore/db-client';
import { localCertificate } from './certificate.js';
import type { AppendFault } from './faults.js';
import { startEventStoreServer, type EventStoreServer } from './server.js';

const { EventStoreDBClient, jsonEvent, NO_STREAM, StreamNotFoundError } = db;
type Client = InstanceType<typeof EventStoreDBClient>;

let servers: EventStoreServer[] = [];
let clients: Client[] = [];
afterEach(async () => {
  for (const client of clients) await client.dispose();
  for (const server of servers) await server.stop();
  clients = [];
  servers = [];
});

async function start(options: Parameters<typeof startEventStoreServer>[0] = {}) {
  const server = await startEventStoreServer(options);
  servers.push(server);
  return server;
}

function connect(url: string): Client {
  const client = EventStoreDBClient.connectionString(url);
  clients.push(client);
  return client;
}

/** On the classic call, which has a deadline. */
const append = (client: Client, stream: string, count = 1) =>
  client.appendToStream(
    stream,
    Array.from({ length: count }, (_, n) => jsonEvent({ type: 'Noted', data: { n } })),
    { credentials: { username: 'admin', password: 'changeit' }, deadline: 1000 },
  );

async function countIn(client: Client, stream: string): Promise<number> {
  let count = 0;
  try {
    for await (const _ of client.readStream(stream)) count += 1;
  } catch (error) {
    if (!(error instanceof StreamNotFoundError)) throw error;
  }
  return count;
}

describe('a fault befalls the next append, and no other:', () => {
  const cases: readonly (readonly [fault: AppendFault, fails: string | null, written: number])[] = [
    [{ kind: 'no_answer' }, 'deadline-exceeded', 0],
    [{ kind: 'written_unanswered' }, 'deadline-exceeded', 1],
    [{ kind: 'late_answer', ms: 1500 }, 'deadline-exceeded', 1],
    [{ kind: 'second_answer', ms: 1 }, null, 1],
    [{ kind: 'timeout', written: true }, 'timeout', 1],
    [{ kind: 'timeout', written: false }, 'timeout', 0],
    [{ kind: 'dropped_connection', written: true }, 'unavailable', 1],
    [{ kind: 'dropped_connection', written: false }, 'unavailable', 0],
  ];

  it.each(cases)('%p', async (fault, fails, written) => {
    const server = await start();
    const client = connect(server.url);
    await append(client, 'before');
    server.faults.inject(fault);
    const outcome = await append(client, 'a').then(
      () => null,
      (error: { type: string }) => error.type,
    );
    expect(outcome).toBe(fails);
    expect(await countIn(client, 'a')).toBe(written);
    await append(client, 'after');
  });

  it('not_leader: the client goes to the leader that the error names', async () => {
    const [follower, leader] = [await start(), await start()];
    const client = connect(follower.url);
    const address = { host: '127.0.0.1', port: leader.port };
    follower.faults.inject({ kind: 'not_leader', leader: address }, Infinity);
    await expect(append(client, 'a')).rejects.toMatchObject({ type: 'not-leader' });
    await append(client, 'a');
    expect(await countIn(connect(leader.url), 'a')).toBe(1);
  });

  it('as likely as it is told to, until they are cleared', async () => {
    const server = await start();
    const client = connect(server.url);
    server.faults.chance({ kind: 'timeout', written: false }, 1);
    await expect(append(client, 'a')).rejects.toMatchObject({ type: 'timeout' });
    server.faults.clear();
    await append(client, 'a');
  });
});

describe('a live subscription', () => {
  const follow = (client: Client) => {
    const subscription = client.subscribeToAll({ fromPosition: 'end' });
    return new Promise<number | string>((resolve) => {
      let count = 0;
      subscription.on('caughtUp', () => void append(client, 'a', 40));
      subscription.on('data', () => (count += 1) === 40 && resolve(count));
      subscription.on('error', (error) => resolve(String(error)));
    });
  };

  it('is dropped when more is committed at once than the burst limit', async () => {
    const server = await start();
    server.faults.burst_limit = 39;
    expect(await follow(connect(server.url))).toMatch(/Consumer too slow/);
  });

  it('takes bursts without a limit', async () => {
    expect(await follow(connect((await start()).url))).toBe(40);
  });
});

describe('a server with a directory', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'eventstore-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('has every answered event after it was killed, and listens on its port again', async () => {
    const first = await start({ dir });
    await append(connect(first.url), 'a', 3);
    await first.kill();
    const second = await start({ dir, port: first.port });
    // Clients with equal settings share a connection, and this one is to wait for no other's backoff.
    const client = connect(`${second.url}&keepAliveInterval=10001`);
    expect(await countIn(client, 'a')).toBe(3);
  });
});

it('is found by gossip, and gossip names the leader that it is told', async () => {
  const leader = await start();
  const member = await start({ leader: { host: '127.0.0.1', port: leader.port } });
  const discover = (port: number) => connect(`esdb+discover://127.0.0.1:${port}?tls=false`);
  await append(discover(leader.port), 'a');
  await append(discover(member.port), 'a');
  expect(await countIn(connect(leader.url), 'a')).toBe(2);
});

describe('a server with TLS', () => {
  const authority = join(tmpdir(), `eventstore-ca-${process.pid}.pem`);
  let secured: EventStoreServer;
  beforeEach(async () => {
    const tls = await localCertificate();
    writeFileSync(authority, tls.cert);
    const writer = { password: 'pw', groups: [] };
    const users = { admin: { password: 'changeit', groups: ['$admins'] }, writer, guest: writer };
    secured = await start({ tls, users });
  });
  afterEach(() => rmSync(authority));

  const as = (user: string) =>
    connect(`${secured.url.replace('//', `//${user}@`)}?tlsCAFile=${authority}`);
  const write = (client: Client, stream: string) =>
    client.appendToStream(stream, jsonEvent({ type: 'Noted', data: {} }), {
      expectedRevision: NO_STREAM,
    });

  it('wants a user and a password', async () => {
    await write(as('admin:changeit'), 'a');
    await expect(write(as('admin:wrong'), 'b')).rejects.toThrow(/Unauthenticated/);
    const anonymous = connect(`${secured.url}?tlsCAFile=${authority}`);
    await expect(write(anonymous, 'c')).rejects.toMatchObject({ type: 'access-denied' });
  });

  it('keeps the access list of a stream, else the default one, else lets users write', async () => {
    const [admin, writer, guest] = [as('admin:changeit'), as('writer:pw'), as('guest:pw')];
    await write(guest, 'open');
    await expect(write(writer, '$system')).rejects.toMatchObject({ type: 'access-denied' });
    await admin.setStreamMetadata('closed', { acl: { writeRoles: ['writer'] } });
    await write(writer, 'closed');
    await expect(write(guest, 'closed')).rejects.toMatchObject({ type: 'access-denied' });
    const data = { $userStreamAcl: { $w: 'writer', $r: '$all', $d: '$admins' } };
    await admin.appendToStream('$settings', jsonEvent({ type: 'update-default-acl', data }));
    await write(writer, 'later');
    await expect(write(guest, 'later too')).rejects.toMatchObject({ type: 'access-denied' });
    await expect(writer.deleteStream('later')).rejects.toMatchObject({ type: 'access-denied' });
  });
});
