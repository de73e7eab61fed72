#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const root = new URL('../..', import.meta.url);
const main = new URL('dist/apps/reconcile/src/main.js', root);

if (!existsSync(main)) {
  process.stderr.write('usage-ledger: not built yet, running npm run build\n');
  // The build writes to stderr only: stdout belongs to the command, and may be piped.
  const build = spawnSync('npm', ['run', 'build', '--silent'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (build.status !== 0) process.exit(build.status ?? 1);
}

await import(main.href);
