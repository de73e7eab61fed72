import type { Configuration, Logger } from '#libs/platform';

export interface EnginesOptions {
  readonly configuration: Configuration;
  readonly logger: Logger;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /**
   * Of the embedded Postgres: the standalone owns it, and the second owner of a data directory is
   * refused; everything else shares a running one, or runs it for the while.
   */
  readonly access: 'own' | 'share';
  /** Other threads of this process open the same engines: they hand over what they can in memory. */
  readonly in_threads?: boolean;
  /** Called with what no retry fixes (a topic of another shape, a lost offset): the process should end. */
  readonly on_fatal: (error: unknown, message: string) => void;
}
