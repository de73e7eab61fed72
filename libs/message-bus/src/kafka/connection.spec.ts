import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { BrokersFunction } from 'kafkajs';
import { Secret } from '#libs/platform';
import { clientConfig, withAdmin, type KafkaConnection } from './connection.js';

it('encrypts when it is asked to, and trusts whom it is told', () => {
  const tls = (given: Partial<KafkaConnection>) =>
    clientConfig({ brokers: ['a:1'], client_id: 'test', ...given }).ssl;
  expect(tls({})).toBeUndefined();
  expect(tls({ tls: true })).toBe(true);
  expect(tls({ tls: { ca: 'PEM' } })).toEqual({ ca: 'PEM' });
});

it('a socket that never connects may be let go of any number of times without a warning', async () => {
  const { socketFactory } = clientConfig({ brokers: ['a:1'], client_id: 'test' });
  const socket = socketFactory!({ host: '127.0.0.1', port: 1, ssl: {}, onConnect: () => {} });
  await once(socket, 'close').catch(() => {}); // refused
  const before = socket.listenerCount('connect');
  for (let n = 0; n < 20; n += 1) socket.unref(); // as each disconnect of kafkajs does
  expect(socket.listenerCount('connect')).toBe(before + 20);
  expect(socket.getMaxListeners()).toBe(0);
});

it('begins with another broker each time: one that hangs must not keep everybody out', async () => {
  const { brokers } = clientConfig({ brokers: ['a:1', 'b:1'], client_id: 'test' });
  const next = brokers as BrokersFunction;
  expect([await next(), await next(), await next()]).toEqual([['a:1'], ['b:1'], ['a:1']]);
});

describe('a login', () => {
  const API_VERSIONS = 18;
  const SASL_HANDSHAKE = 17;
  let server: Server;
  afterEach(() => void server.close());

  /** Answers what comes before the login, and keeps what it sees. */
  const listen = async () => {
    const requests: { key: number; body: Buffer }[] = [];
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (frame) => {
        const key = frame.readInt16BE(4);
        requests.push({ key, body: frame.subarray(12) });
        if (key === API_VERSIONS) socket.write(response(frame, versions));
        else if (key === SASL_HANDSHAKE) socket.write(response(frame, handshake));
        else socket.write(response(frame, refusal));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, requests };
  };
  const response = (request: Buffer, body: Buffer) => {
    const head = Buffer.alloc(8);
    head.writeInt32BE(4 + body.length, 0);
    request.copy(head, 4, 8, 12); // the correlation id
    return Buffer.concat([head, body]);
  };
  const int16 = (...values: number[]) =>
    Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 0xff])));
  // No error; three requests, each in the versions 0 to 1; no throttling.
  const versions = Buffer.concat([
    int16(0, 0, 3),
    int16(17, 0, 1, 18, 0, 1, 36, 0, 1),
    int16(0, 0),
  ]);
  const handshake = Buffer.concat([int16(0, 0, 1, 5), Buffer.from('PLAIN')]);

  // Login failed, and why; no more bytes, no session.
  const refusal = Buffer.concat([int16(58, 2), Buffer.from('no'), int16(0, 0, 0, 0, 0, 0)]);

  it('F32: sends the password to the broker, and shows it to nobody else', async () => {
    const { port, requests } = await listen();
    const said: string[] = [];
    const connection: KafkaConnection = {
      brokers: [`127.0.0.1:${port}`],
      client_id: 'test',
      sasl: { mechanism: 'plain', username: 'ledger', password: new Secret('hunter2') },
      on_log: (...line) => said.push(JSON.stringify(line)),
    };
    const failed: unknown = await withAdmin(connection, async () => {}).catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ name: 'KafkaJSSASLAuthenticationError' });
    const login = requests.find(({ key }) => key !== API_VERSIONS && key !== SASL_HANDSHAKE);
    expect(login?.body.toString()).toContain('\0ledger\0hunter2');
    expect(said.length).toBeGreaterThan(0);
    for (const text of [...said, String((failed as Error).stack), JSON.stringify(connection)])
      expect(text).not.toContain('hunter2');
  });
});
