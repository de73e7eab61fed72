/** What was asked cannot be answered. */
export class UnanswerableQuestion extends Error {
  override readonly name = 'UnanswerableQuestion';
  constructor(
    /** Which of what was asked is at fault, and why. */
    readonly field: string,
    readonly fault: string,
  ) {
    super(`${field} ${fault}`);
  }
}
