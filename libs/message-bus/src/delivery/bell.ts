/** Wakes one waiter. A ring that nobody waits for is remembered, so none is missed. */
export interface Bell {
  readonly ring: () => void;
  /** Forgets earlier rings. */
  readonly clear: () => void;
  /** Resolves at the next ring, or at once after one since the last clear(), or after the timeout. */
  readonly heard: (timeout_ms: number) => Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    clear() {
      rung = false;
    },
    heard(timeout_ms) {
      if (rung) return Promise.resolve();
      return new Promise((resolve) => {
        // Waiting alone keeps no process alive.
        const timer = setTimeout(() => wake?.(), timeout_ms).unref();
        wake = () => {
          wake = undefined;
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
