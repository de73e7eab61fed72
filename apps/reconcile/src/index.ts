export type { Engines } from './engines.js';
export * from './exit-code.js';
export * from './program.js';
