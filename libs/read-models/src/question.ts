/** What was asked cannot be answered. The message follows the name of the field that is at fault. */
export class UnanswerableQuestion extends Error {
  override readonly name = 'UnanswerableQuestion';
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}
