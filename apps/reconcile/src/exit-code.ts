/** How a command ended, for whoever calls it from a script. */
export const EXIT = { fine: 0, mismatch: 1, could_not_run: 2, not_found: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command cannot do its work; its message says what to change. */
export class CouldNotRun extends Error {
  override readonly name: string = 'CouldNotRun';
  readonly exit_code: ExitCode = EXIT.could_not_run;
}

/** The command did its work, and what it was asked for is not there. */
export class NotFound extends CouldNotRun {
  override readonly name = 'NotFound';
  override readonly exit_code = EXIT.not_found;
}
