import { readFileSync } from 'node:fs';
import { commandLine } from '../../../test/reconcile/command-line.js';
import { counted } from './table.js';

it.each([
  [[], 'Usage: usage-ledger [options] [command]'],
  [['dead-letters'], 'Usage: usage-ledger dead-letters [options] [command]'],
  [['verfy'], "unknown command 'verfy'\n(Did you mean verify?)"],
  [['verfy', '--help'], "unknown command 'verfy'\n(Did you mean verify?)"],
  [['--json', 'verfy', '-h'], '(Did you mean verify?)'],
  [['help', 'verfy'], '(Did you mean verify?)'],
  [['verfy', '--version'], '(Did you mean verify?)'],
  [['dead-letters', 'lst', '--help'], "unknown command 'lst'\n(Did you mean list?)"],
  [['nonsense', '--help'], "unknown command 'nonsense'\n(--help lists the commands)"],
])('a command that is not there is no success: %j', async (argv, told) => {
  const { exit_code, stdout, stderr } = await commandLine(argv);
  expect({ exit_code, stdout }).toEqual({ exit_code: 2, stdout: '' });
  expect(stderr).toContain(told);
});

it.each([
  [['--help'], 'Usage: usage-ledger [options] [command]'],
  [['help'], 'Usage: usage-ledger [options] [command]'],
  [['help', 'verify'], 'Usage: usage-ledger verify'],
  [['dead-letters', 'list', '--help'], 'Usage: usage-ledger dead-letters list'],
  [['explain', 'help', 'verfy', '--help'], 'Usage: usage-ledger explain'],
])('a command that is there is helped with: %j', async (argv, told) => {
  const { exit_code, stdout } = await commandLine(argv);
  expect(exit_code).toBe(0);
  expect(stdout).toContain(told);
});

it.each([
  [1, '1 entry'],
  [1n, '1 entry'],
  [0, '0 entries'],
  [1_234n, '1,234 entries'],
])('counts as a person does: %s', (value, text) => {
  expect(counted(value, 'entry', 'entries')).toBe(text);
});

it('tells its version', async () => {
  const manifest = new URL('../../../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  expect(await commandLine(['--version'])).toMatchObject({ exit_code: 0, stdout: `${version}\n` });
});
