import { eventually } from '../e2e/asking.js';
import { describeSystem, expectAgreement } from '../e2e/suite.js';
import type { RunningCommand } from '../e2e/system.js';
import { traceOver, type Summary } from '../e2e/trace.js';
import { expectOneDecisionEach, startClients } from './clients.js';

const ACCOUNTS = 50;
const CLIENTS = 3;
const TEST_MS = 300_000;

const trace = traceOver(ACCOUNTS);

describeSystem('an interrupted import', (system) => {
  /** Under another name the same rows are other requests. Small calls take their time. */
  const startImport = (name: string): RunningCommand =>
    system().startCli(...trace.arguments, '--name', name, '--batch-size=20', '--in-flight=2');

  /** Rows of all imports that are charged and projected. */
  async function charged(): Promise<number> {
    const path = '/v1/usage/summary?group_by=operation';
    const answer = await system()
      .call('GET', path)
      .catch(() => undefined);
    const items = (answer?.body['items'] ?? []) as { operation: string; lines: number }[];
    return items.find(({ operation }) => operation === 'llm.input_tokens')?.lines ?? 0;
  }

  /** Does something to the ledger after every `rows` rows that were charged, so often. */
  async function interrupt(times: number, work: () => Promise<unknown>): Promise<void> {
    const rows = Math.min(200, trace.rows / (times + 2));
    for (let time = 0; time < times; time += 1) {
      const before = await charged();
      await eventually('the import goes on', async () => (await charged()) >= before + rows);
      await work();
    }
  }

  /** Runs an import and clients beside it while it is interrupted; both must come to their end. */
  async function importThrough(name: string, times: number, work: () => Promise<unknown>) {
    const clients = await startClients(system(), name, CLIENTS);
    const importing = startImport(name);
    let is_over = false;
    void importing.ended.then(() => (is_over = true));
    await interrupt(times, work);
    expect(is_over).toBe(false);
    const { ending, stderr, ...run } = await importing.ended;
    const acknowledged = await clients.stop();
    expect({ ending, stderr }).toEqual({ ending: 0, stderr: '' });
    expect(run.lines<Summary>('summary')).toMatchObject([
      { decided: trace.rows, consumed: trace.rows, credits: trace.credits.toString() },
    ]);
    expect(acknowledged.length).toBeGreaterThan(CLIENTS);
    await expectOneDecisionEach(system(), acknowledged);
  }

  it(
    'kill -9 of the ledger: same totals, and each acknowledged request has one decision',
    async () => {
      // Kafka gives the partitions of a killed process away when its session has run out.
      const times = system().kind === 'embedded' ? 3 : 1;
      await importThrough('killed', times, async () => {
        await system().kill9();
        await system().start();
      });
      await expectAgreement(system());
    },
    TEST_MS,
  );

  it(
    'kill -9 of what keeps the data: the ledger takes it up again',
    async () => {
      const { pid } = system();
      await importThrough('storage', 1, () => system().killStorage());
      expect(system().pid).toBe(pid);
      await expectAgreement(system());
    },
    TEST_MS,
  );

  it(
    'SIGTERM: it stops in order, exits with 0, and goes on when it is started',
    async () => {
      await importThrough('stopped', 1, async () => {
        expect(await system().stop()).toBe(0);
        await system().start();
      });
      await expectAgreement(system());
    },
    TEST_MS,
  );

  it(
    'an import that was killed itself is started again and charges the rest',
    async () => {
      const importing = startImport('twice');
      await interrupt(1, async () => importing.kill('SIGKILL'));
      expect((await importing.ended).ending).toBe('SIGKILL');
      const { ending, ...run } = await startImport('twice').ended;
      expect(ending).toBe(0);
      const [summary] = run.lines<Summary>('summary');
      expect(summary).toMatchObject({ decided: trace.rows, credits: trace.credits.toString() });
      expect(summary!.replayed).toBeGreaterThan(0);
      expect(summary!.replayed).toBeLessThan(trace.rows);
    },
    TEST_MS,
  );

  it('in the end every row is charged four times for four names, and all agree', async () => {
    const path = '/v1/usage/summary?group_by=account';
    await expectAgreement(system());
    const { body } = await system().call('GET', path);
    const items = body['items'] as { account_id: string; credits: string }[];
    const found = items.filter(({ account_id }) => account_id.startsWith('acct-'));
    expect(new Map(found.map(({ account_id, credits }) => [account_id, BigInt(credits)]))).toEqual(
      new Map([...trace.by_account].map(([account_id, credits]) => [account_id, credits * 4n])),
    );
  });
});
