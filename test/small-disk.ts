import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own, small enough to be filled. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves no room, and takes what is given back, until there is room again. */
  fill(): void;
  makeRoom(): void;
  unmount(): void;
}

/** A test that mounts one. Where that is not allowed it is one line that says so. */
export function itOnSmallDisk(name: string, test: () => Promise<void>, timeout_ms: number): void {
  const refusal = whyNoSmallDisk();
  if (refusal === undefined) {
    it(name, test, timeout_ms);
    return;
  }
  it(`NOT TRIED, for want of the right to mount: ${name}`, () => {
    process.stdout.write(`NOT TRIED whether, ${name}: ${refusal}\n`);
  });
}

function whyNoSmallDisk(): string | undefined {
  try {
    mountSmallDisk(1).unmount();
    return undefined;
  } catch (error) {
    return String(error).replaceAll('\n', ' ');
  }
}

/** Throws where this process may not mount, which takes root on Linux. */
export function mountSmallDisk(megabytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'usage-ledger-disk-'));
  try {
    const options = `size=${megabytes}m,mode=755`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    rmdirSync(folder);
    throw error;
  }
  const ballast = join(folder, 'ballast');
  let filling: NodeJS.Timeout | undefined;
  const makeRoom = () => {
    clearInterval(filling);
    rmSync(ballast, { force: true });
  };
  return {
    folder,
    fill() {
      fillUp(ballast);
      filling = setInterval(fillUp, 20, ballast);
    },
    makeRoom,
    unmount() {
      makeRoom();
      execFileSync('umount', [folder]);
      rmdirSync(folder);
    },
  };
}

const CHUNKS = [1 << 20, 1 << 12].map((bytes) => Buffer.alloc(bytes, 1));

function fillUp(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (const chunk of CHUNKS) while (hasWritten(file, chunk)) continue;
  } finally {
    closeSync(file);
  }
}

function hasWritten(file: number, chunk: Buffer): boolean {
  try {
    return writeSync(file, chunk) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
