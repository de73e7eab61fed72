import { describeSystem, expectAgreement } from '../e2e/suite.js';
import { traceOver, type Summary } from '../e2e/trace.js';
import { addTo, expectCharged, importThrough, interrupt, startImport } from './load.js';

const ACCOUNTS = 50;
const TEST_MS = 300_000;
// Kafka gives the partitions of a killed process away when its session has run out.
const SHORT_SESSION = { KAFKA_SESSION_TIMEOUT_MS: '3000' };

const trace = traceOver(ACCOUNTS);

describeSystem(
  'an interrupted import',
  (system) => {
    const charged = new Map<string, bigint>();
    const loadOf = (name: string) => ({ system: system(), trace, name });

    /** Interrupts imports and clients; all agrees. */
    async function expectSoundThrough(name: string, ...works: (() => Promise<unknown>)[]) {
      await importThrough(loadOf(name), charged, ...works);
      await expectAgreement(system());
    }

    it(
      'kill -9 of the ledger: same totals, and each acknowledged request has one decision',
      async () => {
        const killAndStart = async () => {
          await system().kill9();
          await system().start();
        };
        await expectSoundThrough('killed', killAndStart, killAndStart, killAndStart);
      },
      TEST_MS,
    );

    it(
      'kill -9 of what keeps the data: the ledger takes it up again',
      async () => {
        const { pid } = system();
        await expectSoundThrough('storage', () => system().killStorage());
        expect(system().pid).toBe(pid);
      },
      TEST_MS,
    );

    it(
      'SIGTERM: it stops in order, exits with 0, and goes on when it is started',
      async () => {
        await expectSoundThrough('stopped', async () => {
          expect(await system().stop()).toBe(0);
          await system().start();
        });
      },
      TEST_MS,
    );

    it(
      'an import that was killed itself is started again and charges the rest',
      async () => {
        const importing = startImport(loadOf('twice'));
        await interrupt(loadOf('twice'), [async () => importing.kill('SIGKILL')]);
        expect((await importing.ended).ending).toBe('SIGKILL');
        const { ending, ...run } = await startImport(loadOf('twice')).ended;
        expect(ending).toBe(0);
        const [summary] = run.lines<Summary>('summary');
        expect(summary).toMatchObject({ decided: trace.rows, credits: trace.credits.toString() });
        expect(summary!.replayed).toBeGreaterThan(0);
        expect(summary!.replayed).toBeLessThan(trace.rows);
        addTo(charged, trace.by_account);
      },
      TEST_MS,
    );

    it('in the end every row is charged once for each name, and all agree', async () => {
      await expectCharged(system(), charged);
      await expectAgreement(system());
    });
  },
  SHORT_SESSION,
);
