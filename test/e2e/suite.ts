import type { Environment } from '#apps/standalone';
import { describeKafka } from '../kafka.js';
import { startSystem, type StandaloneSystem, type System } from './system.js';

const START_MS = 180_000;

/**
 * A suite that is run on the embedded engines and again on the distributed ones, each time on a ledger
 * of its own. Without Java the second is one line that says so, and a failure in CI.
 */
export function describeSystem(
  name: string,
  body: (system: () => StandaloneSystem) => void,
  env: Environment = {},
): void {
  describe(`${name} on embedded engines`, () => onSystem('embedded', body, env));
  describeKafka(`${name} on distributed engines`, () => onSystem('distributed', body, env));
}

function onSystem(
  kind: System['kind'],
  body: (system: () => StandaloneSystem) => void,
  env: Environment,
): void {
  let system: StandaloneSystem | undefined;
  beforeAll(async () => {
    system = await startSystem(kind, env);
  }, START_MS);
  afterAll(() => system?.end(), START_MS);
  body(() => system!);
}

/** `verify` finds nothing, and the ledger is ready. */
export async function expectAgreement(system: System): Promise<void> {
  const { ending, stdout, stderr } = await system.cli('verify', '--json');
  expect({ ending, stdout, stderr }).toEqual({
    ending: 0,
    stdout: expect.stringContaining('"mismatches":0'),
    stderr: expect.any(String),
  });
  const readiness = await system.call('GET', '/readyz');
  expect({ status: readiness.status, text: readiness.text }).toMatchObject({ status: 200 });
}

/** The same, and the ledger complained of nothing. */
export async function expectSound(system: System): Promise<void> {
  await expectAgreement(system);
  expect(system.log.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
}
