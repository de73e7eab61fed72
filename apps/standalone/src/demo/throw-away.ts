import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const KEEPER = fileURLToPath(new URL('throw-away-keeper.js', import.meta.url));

/** A folder for a ledger's data, and the processes on it: none outlives this one, however it ends. */
export interface ThrowAway {
  readonly folder: string;
  /** Is ended, if it still runs then. */
  adopt(child: ChildProcess): void;
  /** Ends like kill -9 whatever was adopted, and the folder's Postgres; deletes the folder. */
  end(): Promise<void>;
}

/** `name` is the beginning of the folder's name. */
export async function throwAway(name: string, parent = tmpdir()): Promise<ThrowAway> {
  const folder = await mkdtemp(join(parent, `${name}-`));
  // Started by root, the embedded Postgres runs as another user, who has to get there.
  await chmod(folder, 0o755);
  const keeper = spawn(process.execPath, [KEEPER, folder], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true, // so that Ctrl+C ends its owner, and its owner's end the keeper
  });
  keeper.stdin.on('error', () => {}); // it was killed: then nobody is left to do it
  const ended = once(keeper, 'exit');
  return {
    folder,
    adopt(child) {
      const { pid } = child;
      if (pid === undefined) return; // it could not be started
      keeper.stdin.write(`+${pid}\n`);
      child.once('exit', () => keeper.stdin.write(`-${pid}\n`));
    },
    async end() {
      keeper.stdin.end();
      await ended;
    },
  };
}
