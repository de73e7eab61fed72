export * from './demo/ledger-process.js';
export * from './demo/throw-away.js';
