import { startDemoLedger } from './demo-ledger.js';
import { say, showLedger } from './story.js';

say('Starting usage-ledger on throw-away data ...');
const ledger = await startDemoLedger();
try {
  await showLedger(ledger);
} catch (error) {
  process.stderr.write(`${ledger.lastLines()}\n`);
  throw error;
} finally {
  await ledger.end();
}
