import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Jest's globalSetup; Jest calls what it leaves on globalThis through globalTeardown. */
export default async function setup(): Promise<void> {
  const path = fileURLToPath(new URL('keeper.js', import.meta.url));
  const keeper = spawn(process.execPath, [path], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // so that Ctrl-C ends Jest, and Jest's end the keeper
  });
  const [port] = await once(keeper.stdout, 'data');
  process.env['TEST_KEEPER'] = String(port).trim();
  globalThis.endTestServers = async () => {
    keeper.stdin.end();
    await once(keeper, 'exit');
  };
}

declare global {
  var endTestServers: (() => Promise<void>) | undefined;
}
