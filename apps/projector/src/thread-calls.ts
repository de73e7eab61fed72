import type { ProjectorMetrics } from './projection-run.js';

/** What the owner asks of the projector's thread. */
export interface ThreadCalls {
  /** Why it is not ready; undefined when it is. What it measures for that has been sent by then. */
  readiness(): Promise<string | undefined>;
  /** Writes what is in hand and closes everything. */
  close(): Promise<void>;
}

/** What the thread reports to its owner. */
export interface OwnerCalls {
  started(): void;
  /** The projection has stopped for good; the thread still says so when it is asked. */
  broken(error: Error): void;
  /** Something that no retry fixes. */
  failed(error: unknown, message: string): void;
  /** A value for one of the owner's metrics. */
  measured(
    metric: keyof ProjectorMetrics,
    labels: { readonly worker: string },
    value: number,
  ): void;
}

/** All of them: the thread awaits no answer. */
export const OWNER_EVENTS: (keyof OwnerCalls)[] = ['started', 'broken', 'failed', 'measured'];
