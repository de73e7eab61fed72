export * from './engines.js';
export type { EnginesOptions } from './options.js';
