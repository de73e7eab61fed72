export * from './checkpoint.js';
export * from './digest.js';
export * from './entry-key.js';
export * from './look-up.js';
export * from './one-view.js';
export {
  allDeadLetters,
  deadLetters,
  fileDeadLetters,
  markRedriven,
  type DeadLetterFilter,
  type Dismissal,
  type FiledDeadLetter,
} from './operations/dead-letters.js';
export * from './operations/parked-accounts.js';
export * from './operations/open-letters.js';
export * from './operations/set-aside.js';
export { DEFAULT_PAGE, MAX_PAGE } from './page.js';
export { SNAPSHOT_INTERVAL } from './projection/fold-batch.js';
export * from './projection/projection.js';
export * from './queries/accounts.js';
export * from './queries/balance.js';
export type { Entry } from './queries/entry.js';
export * from './queries/explanation.js';
export * from './queries/invoices.js';
export * from './queries/rejected-grants.js';
export * from './queries/statement.js';
export * from './queries/summary.js';
export { UnanswerableQuestion } from './question.js';
export * from './replacement.js';
export * from './schema.js';
