import { eventually, grant } from '../e2e/asking.js';
import { expectAgreement } from '../e2e/suite.js';
import { startSystem, type StandaloneSystem } from '../e2e/system.js';
import { itOnSmallDisk, mountSmallDisk, type SmallDisk } from '../small-disk.js';
import { expectOneDecisionEach, startClients } from './clients.js';

const DISK_MB = 128;
const TEST_MS = 300_000;

let disk: SmallDisk | undefined;
let system: StandaloneSystem | undefined;

afterEach(async () => {
  disk?.makeRoom();
  await system?.end();
  disk?.unmount();
}, TEST_MS);

/** How often the ledger has said that. */
const told = (words: string): number => system!.log.filter((line) => line.includes(words)).length;

const isTold = (words: string, times = told(words) + 1) =>
  eventually(`it says "${words}"`, async () => told(words) >= times);

async function fillAndMakeRoom(): Promise<void> {
  disk = mountSmallDisk(DISK_MB);
  system = await startSystem('embedded', {}, disk.folder);
  const engines = await system.openEngines();
  await grant(system, 'late', { request_id: 'pack', credits: '10' });
  const clients = await startClients(system, 'full-disk', 4);

  // Tables cannot grow: appends fail, the server lives.
  disk.fill();
  await isTold('No space left on device', 1);
  const ready = () => system!.call('GET', '/readyz');
  await eventually('it is not ready', async () => (await ready()).status === 503);
  const said = JSON.stringify((await ready()).body);
  expect(said).toMatch(new RegExp(`data_dir: ${disk.folder}[^:]*: its disk is full`));

  // Nor can its write-ahead log: the server ends, and cannot start.
  const log_more = `select pg_logical_emit_message(false, 'more', repeat('x', 1000000))`;
  await eventually('the write-ahead log is full', async () => {
    await engines.pool.query(log_more).catch(() => {});
    return told('its disk is full') > 0;
  });
  await engines.close();

  const usage = { account_id: 'late', request_id: 'late', operation: 'text.generation' };
  const charge = () => system!.call('POST', '/v1/usage', usage);
  const statuses: number[] = [];
  const charged = charge().then(({ status }) => statuses.push(status));
  await isTold('its disk is full');
  expect(statuses.filter((status) => status !== 503)).toEqual([]);

  disk.makeRoom();
  await eventually('it is charged', async () => (await charge()).status === 200);
  await charged;
  await eventually('it is ready', async () => (await ready()).status === 200);
  await expectOneDecisionEach(system, await clients.stop());
  await expectAgreement(system);
}

itOnSmallDisk(
  'F24: on a full disk nothing is acknowledged, and it goes on when there is room',
  fillAndMakeRoom,
  TEST_MS,
);
