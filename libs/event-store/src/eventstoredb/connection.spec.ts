import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { jest } from '@jest/globals';
import { connect } from './connection.js';

const require = createRequire(import.meta.url);

it('the parts of the client that its types hide are there, in the version that they were taken from', () => {
  const path = require.resolve('@eventstore/db-client/package.json');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ version: '6.2.1' });
  const { client } = connect('esdb://127.0.0.1:1?tls=false', undefined);
  expect(client).toMatchObject({
    getChannel: expect.any(Function),
    callArguments: expect.any(Function),
    handleError: expect.any(Function),
    dispose: expect.any(Function),
  });
});

it('asks for the leader, and sends the credentials only over TLS', async () => {
  const { callArguments } = connect('esdb://127.0.0.1:1?tls=false', undefined);
  const [metadata, { deadline, credentials }] = callArguments();
  expect(metadata.get('requires-leader')).toEqual(['true']);
  expect(deadline).toBe(Infinity);
  expect(credentials).toBeUndefined();

  const secured = connect('esdb://127.0.0.1:1', { username: 'writer', password: 'pw' });
  const generated = await secured
    .callArguments()[1]
    .credentials!.generateMetadata({ service_url: '', method_name: '' });
  const basic = Buffer.from('writer:pw').toString('base64');
  expect(generated.get('authorization')).toEqual([`Basic ${basic}`]);
});

describe('F32 a password in the connection string is never printed', () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  afterEach(() => warn.mockClear());
  afterAll(() => warn.mockRestore());

  it.each([
    'esdb://admin:hunter2',
    'http://admin:hunter2@store:2113',
    'esdb://admin:hunter2@store:2113?keepAliveTimeout=hunter2',
    'esdb://admin:hunter2@store:2113?tsl=false',
    'esdb://admin:hunter2@store:2113?tlsVerifyCert=false',
    'esdb://admin:hunter2@store:2113?tlsCAFile=/nowhere.pem',
    'esdb://admin:hunter2@store:2113&tls=false',
  ])('%#', (url) => {
    let message = 'accepted';
    try {
      connect(url, undefined);
    } catch (error) {
      message = String(error);
    }
    expect(message).not.toBe('accepted');
    expect(message).not.toContain('hunter2');
    expect(JSON.stringify(warn.mock.calls)).not.toContain('hunter2');
  });
});
