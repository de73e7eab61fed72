import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ledgerTopics } from '#libs/message-bus';
import { describeKafka, startKafka, type RunningKafka } from '../../test/kafka.js';

const SCRIPT = fileURLToPath(new URL('topics.js', import.meta.url));

describeKafka('topics create, on a cluster of one broker', () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ nodes: 1 });
  });
  afterAll(() => kafka?.stop());

  const topics = (...args: readonly string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, KAFKA_BROKERS: kafka.brokers.join() };
      execFile(process.execPath, [SCRIPT, ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code, stdout, stderr }),
      );
    });

  it('says by topic why three copies are refused, and which option to change; then makes them', async () => {
    const refused = await topics('create');
    expect(refused.code).toBe(1);
    const lines = refused.stderr.trim().split('\n');
    for (const { topic } of ledgerTopics(16)) {
      const why = 'Replication-factor is invalid (INVALID_REPLICATION_FACTOR)';
      expect(lines).toContain(`${topic}: ${why}`);
    }
    expect(lines.slice(4)).toEqual([
      '--replication-factor: at most as many as the cluster has brokers',
    ]);

    const made = await topics('create', '--replication-factor', '1');
    expect(made).toMatchObject({ code: undefined, stderr: '' });
    expect(made.stdout).toContain('all topics are as planned');
  });
});
