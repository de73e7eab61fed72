import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine } from '../../../../test/reconcile/command-line.js';

let folder: string;
let argv: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'import-'));
  const file = join(folder, 'usage.csv');
  await writeFile(file, 'who,units\na,1\nb,2\n');
  argv = ['import', file, '--account', 'who', '--item', 'text.generation=units'];
});
afterAll(() => rm(folder, { recursive: true }));

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

it('a key that the gateway does not know ends the import, and nothing else is said', async () => {
  const gateway = createHttpServer((_request, response) => response.writeHead(401).end('{}'));
  await once(gateway.listen(0, '127.0.0.1'), 'listening');
  const env = { LEDGER_URL: `http://127.0.0.1:${portOf(gateway)}`, LEDGER_API_KEY: 'wrong' };
  const { exit_code, stdout, stderr } = await commandLine(argv, { env });
  gateway.close();
  expect({ exit_code, stdout }).toEqual({ exit_code: 2, stdout: '' });
  const told = /^usage-ledger: the gateway does not know this key: set LEDGER_API_KEY.*\n$/;
  expect(stderr).toMatch(told);
});

it('where nothing listens it says so at once, and tries again', async () => {
  const passing = createServer();
  await once(passing.listen(0, '127.0.0.1'), 'listening');
  const LEDGER_URL = `http://127.0.0.1:${portOf(passing)}`;
  await new Promise((resolve) => passing.close(resolve));
  const interrupted = new AbortController();
  setTimeout(() => interrupted.abort(), 1_000);
  const { signal } = interrupted;
  const { exit_code, stderr } = await commandLine(argv, { env: { LEDGER_URL }, signal });
  expect(exit_code).toBe(2);
  expect(stderr).toContain(`nothing listens at LEDGER_URL ${LEDGER_URL}: trying again`);
});
