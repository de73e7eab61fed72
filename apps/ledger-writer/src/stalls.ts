/** Whether, and since when, this writer waits for the read side. Readiness turns false meanwhile. */
export class Stalls {
  readonly #since = new Set<{ ms: number }>();

  constructor(private readonly elapsed: () => number = () => performance.now()) {}

  begin(): { waiting(): void; end(): void } {
    const stall = { ms: this.elapsed() };
    return {
      waiting: () => void this.#since.add(stall),
      end: () => void this.#since.delete(stall),
    };
  }

  /** Milliseconds since the longest wait began; 0 when nothing waits. */
  waitingMs(): number {
    let longest = 0;
    for (const { ms } of this.#since) longest = Math.max(longest, this.elapsed() - ms);
    return longest;
  }
}
