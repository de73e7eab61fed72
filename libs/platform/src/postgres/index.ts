export * from './advisory-lock.js';
export * from './binary-array.js';
export { lackOfRoom } from './disk-room.js';
export * from './embedded.js';
export * from './failure.js';
export * from './migrate.js';
export * from './pool.js';
