/** Wakes everybody who waits for what has happened since they last looked. */
export interface Bell {
  /** How often it rang; taken before looking, so that a ring while looking is not missed. */
  rings(): number;
  ring(): void;
  /**
   * Resolves with true when it has rung more than `rings` times, and with false after `timeout_ms` or
   * when the signal aborts.
   */
  wait(rings: number, signal: AbortSignal, timeout_ms?: number): Promise<boolean>;
}

export function newBell(): Bell {
  const waiting = new Set<(rung: boolean) => void>();
  let count = 0;
  return {
    rings: () => count,
    ring() {
      count += 1;
      for (const wake of waiting) wake(true);
    },
    wait: (rings, signal, timeout_ms) =>
      new Promise<boolean>((resolve) => {
        if (signal.aborted || count > rings) return resolve(!signal.aborted);
        const give_up = () => wake(false);
        const timer = timeout_ms === undefined ? undefined : setTimeout(give_up, timeout_ms);
        const wake = (rung: boolean) => {
          waiting.delete(wake);
          clearTimeout(timer);
          signal.removeEventListener('abort', give_up);
          resolve(rung);
        };
        waiting.add(wake);
        signal.addEventListener('abort', give_up);
      }),
  };
}
