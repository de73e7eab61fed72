import { GROUPS, TOPICS } from '#libs/contracts';
import { eventually } from '../e2e/asking.js';
import { recorded } from '../e2e/recorded.js';
import { startSeparateSystem, type SeparateSystem } from '../e2e/separate.js';
import type { ServerProcess } from '../e2e/server-process.js';
import { expectAgreement } from '../e2e/suite.js';
import { SAMPLE, traceOver, type Trace } from '../e2e/trace.js';
import { describeKafka, leaderOf, membersOf, publishedOn } from '../kafka.js';
import { startClients } from './clients.js';
import { holdAppends, holdLookUps } from './holding.js';
import { expectCharged, importThrough } from './load.js';
import { startProducts } from './products.js';

const ACCOUNTS = 50;
const START_MS = 180_000;
const TEST_MS = 300_000;

const sample = traceOver(ACCOUNTS, SAMPLE);
// The whole trace where its path is given.
const trace = traceOver(ACCOUNTS, process.env['TRACE_CSV']);

describeKafka('a ledger of separate processes on three brokers', () => {
  const charged = new Map<string, bigint>();
  let system: SeparateSystem;
  beforeAll(async () => {
    system = await startSeparateSystem();
    await writersShare(2);
  }, START_MS);
  afterAll(() => system?.end(), START_MS);

  const writersShare = (count: number) =>
    eventually(
      `${count} writers share the partitions`,
      async () => (await membersOf(system.kafka.brokers, GROUPS.writer)) === count,
    );

  /**
   * Charges a trace, clients over HTTP and products over the message bus, while the ledger suffers.
   * Afterwards all sums are those of the price list, all sides agree, and nothing is a dead letter.
   */
  async function expectSoundThrough(
    { name, rows = sample }: { name: string; rows?: Trace },
    ...works: (() => Promise<unknown>)[]
  ) {
    const load = { system, trace: rows, name, beside: [startClients, startProducts] };
    await importThrough(load, charged, ...works);
    await expectSumsAndAgreement();
  }

  async function expectSumsAndAgreement() {
    await expectCharged(system, charged);
    await expectAgreement(system);
    expect(await publishedOn(system.kafka.brokers, TOPICS.dead_letters)).toBe(0);
  }

  const killAndStart = async (server: ServerProcess) => {
    await server.kill9();
    await server.start();
  };

  it(
    'F6, F12, F16: kill -9 of a broker that leads, and of a writer, while the trace is imported',
    async () => {
      const { kafka, writers } = system;
      let leader = 0;
      await expectSoundThrough(
        { name: 'leader', rows: trace },
        async () => {
          leader = await leaderOf(kafka.brokers, TOPICS.usage, 0);
          await kafka.kill(leader);
        },
        async () => {
          const release = await holdAppends(system);
          await writers[0].kill9();
          await release();
          await writers[0].start();
        },
        () => kafka.start(leader),
      );
    },
    TEST_MS,
  );

  it(
    'F4: writers join and leave under load',
    async () => {
      const [first, , third] = system.writers;
      const join = async (writer: ServerProcess) => {
        await writer.start();
        await writersShare(3);
      };
      const leave = async (writer: ServerProcess) => {
        expect(await writer.stop()).toBe(0);
        await writersShare(2);
      };
      await expectSoundThrough(
        { name: 'rebalance' },
        () => join(third),
        () => leave(first),
      );
      await expectSoundThrough(
        { name: 'back' },
        () => join(first),
        () => leave(third),
      );
    },
    TEST_MS,
  );

  describe('F28: a writer that stands still for longer than its session', () => {
    /** Resolves when the other one has its partitions. */
    const freeze = async () => {
      system.writers[1].freeze();
      await writersShare(1);
    };
    const thaw = async () => {
      system.writers[1].thaw();
      await writersShare(2);
    };

    it(
      'comes back among others at work and is one of them again',
      () => expectSoundThrough({ name: 'frozen' }, freeze, thaw),
      TEST_MS,
    );

    it.each([
      ['before it decides', holdLookUps],
      ['with an append on its way', holdAppends],
    ])(
      'F4, F5: %s: when it wakes up it adds nothing',
      async (name, hold) => {
        await expectSoundThrough({ name: name.replaceAll(' ', '-') }, async () => {
          const release = await hold(system);
          system.writers[1].freeze();
          await release();
          await writersShare(1);
        });
        const before = await recorded(system);
        await thaw();
        await expectSumsAndAgreement();
        expect(await recorded(system)).toEqual(before);
      },
      TEST_MS,
    );
  });

  it(
    'F13, F23: kill -9 of the event store and of Postgres: no app ends for it',
    async () => {
      const { event_store, gateway, projector, finance_api, writers } = system;
      const apps = [gateway, projector, finance_api, writers[0], writers[1]];
      const pids = apps.map(({ pid }) => pid);
      await expectSoundThrough(
        { name: 'storage' },
        () => killAndStart(event_store),
        () => system.killPostgres(),
      );
      expect(apps.map(({ pid }) => pid)).toEqual(pids);
    },
    TEST_MS,
  );

  it(
    'F6, F22: kill -9 of the gateway, the projector and the finance API',
    async () => {
      const { gateway, projector, finance_api } = system;
      const apps = [gateway, projector, finance_api];
      await expectSoundThrough({ name: 'apps' }, ...apps.map((app) => () => killAndStart(app)));
    },
    TEST_MS,
  );
});
