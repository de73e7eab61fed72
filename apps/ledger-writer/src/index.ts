export { AccountCache } from './account-cache.js';
export { startLedgerWriter, type LedgerWriter } from './ledger-writer.js';
export { pause } from './pause.js';
export { PriceBookCache } from './price-book-cache.js';
export { ReadSideWaits } from './read-side-wait.js';
export type { ReadSide } from './read-side.js';
export { handleBatch, type BatchResult, type WriterPorts } from './writer.js';
