/** How a command ended, for whoever calls it from a script. */
export const EXIT = { fine: 0, mismatch: 1, could_not_run: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command cannot do its work; its message tells a person what to change. */
export class CouldNotRun extends Error {
  override readonly name = 'CouldNotRun';
}
