export * from './account.js';
export * from './burn-order.js';
export * from './decide.js';
export * from './due.js';
export * from './evolve.js';
export * from './price-books.js';
export * from './pricing.js';
export * from './snapshot.js';
