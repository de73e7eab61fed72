import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { itOnSmallDisk, mountSmallDisk } from '../../../test/small-disk.js';
import { makeDataFolder } from './data-folder.js';

it('makes the folder, and leaves one that is there', async () => {
  const root = mkdtempSync(join(tmpdir(), 'usage-ledger-data-'));
  const folder = join(root, 'a/b');
  await makeDataFolder(folder);
  await makeDataFolder(folder);
  expect(statSync(folder).isDirectory()).toBe(true);
  rmSync(root, { recursive: true });
});

it('says which folder cannot be made, and why', async () => {
  await expect(makeDataFolder('/dev/null/data')).rejects.toMatchObject({
    name: 'CannotStart',
    message: expect.stringMatching(/^the data directory \/dev\/null\/data cannot be used: ENOTDIR/),
  });
});

async function refuseReadOnly(): Promise<void> {
  const disk = mountSmallDisk(1);
  try {
    execFileSync('mount', ['-o', 'remount,ro', disk.folder]);
    for (const folder of [disk.folder, join(disk.folder, 'new/one')]) {
      await expect(makeDataFolder(folder)).rejects.toThrow(
        `the data directory ${folder} cannot be used: EROFS`,
      );
    }
  } finally {
    disk.unmount();
  }
}

itOnSmallDisk('says that a disk is read-only', refuseReadOnly, 10_000);
