export { AccountCache } from './account-cache.js';
export { startLedgerWriter, type LedgerWriter } from './ledger-writer.js';
export { pause } from './pause.js';
export { PriceBookShelf } from './price-book-shelf.js';
export type { ReadSide } from './read-side.js';
export { Stalls } from './stalls.js';
export { handleBatch, type Outcome, type WriterPorts } from './writer.js';
