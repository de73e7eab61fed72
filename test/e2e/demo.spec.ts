import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endingOf } from '#apps/standalone';
import { eventually } from './asking.js';

const DEMO = fileURLToPath(new URL('../../apps/standalone/src/demo/main.js', import.meta.url));
const TIMEOUT_MS = 240_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usage-ledger-demo-spec-'));
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts the demo as `npm run demo` does, with its throw-away data in the folder. */
function startDemo(on_text: (printed: string) => void = () => {}) {
  const child = spawn(process.execPath, ['--enable-source-maps', DEMO], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      on_text(printed);
    });
  }
  const ended = endingOf(child).then((ending) => ({ ending, printed }));
  return { child, ended };
}

it(
  'the demo tells its story, ends by itself and leaves nothing',
  async () => {
    const began = performance.now();
    const { ending, printed } = await startDemo().ended;
    process.stdout.write(`the demo took ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
    expect({ ending, printed }).toEqual({ ending: 0, printed: expect.any(String) });
    const steps = [...printed.matchAll(/^── (\d)\. /gm)].map(([, number]) => number);
    expect(steps).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    for (const told of [
      'requests sent',
      '7 charged (200), 53 rejected (402)',
      'charged 20 credits',
      'all four agree',
    ]) {
      expect(printed).toContain(told);
    }
    expect(await readdir(folder)).toEqual([]);
  },
  TIMEOUT_MS,
);

it(
  'a demo that is killed takes its ledger with it',
  async () => {
    let url: string | undefined;
    const { child, ended } = startDemo((printed) => {
      url = /It runs on (\S+)\./.exec(printed)?.[1];
      if (url !== undefined) child.kill('SIGKILL');
    });
    expect((await ended).ending).toBe('SIGKILL');
    await eventually('its data are gone', async () => (await readdir(folder)).length === 0);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow('fetch failed');
  },
  TIMEOUT_MS,
);
