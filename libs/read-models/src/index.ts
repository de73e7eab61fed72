export * from './look-up.js';
