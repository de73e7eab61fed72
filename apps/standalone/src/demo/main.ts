import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLedgerProcess } from './ledger-process.js';
import { showLedger } from './story.js';

const data_dir = await mkdtemp(join(tmpdir(), 'usage-ledger-demo-'));
// Started by root, the embedded Postgres runs as another user, who has to get there.
await chmod(data_dir, 0o755);
try {
  const ledger = await startLedgerProcess(data_dir);
  try {
    await showLedger(ledger);
  } finally {
    await ledger.stop();
  }
} finally {
  await rm(data_dir, { recursive: true, force: true });
}
