import type { AppendResult, StreamAppend } from '../port.js';

/** Sends one call with at most one append per stream; rejects when its outcome is unknown. */
type Send = (appends: readonly StreamAppend[]) => Promise<readonly AppendResult[]>;

export interface QueueLimits {
  /** Most events and UTF-16 units of data in one call; a single append that has more goes alone. */
  readonly call: { readonly events: number; readonly units: number };
  /** Most units of data that wait. What comes then is not sent, and answered as `unknown`. */
  readonly waiting_units: number;
}

interface AppendQueue {
  append(append: StreamAppend): Promise<AppendResult>;
  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void>;
}

interface Waiting {
  readonly append: StreamAppend;
  readonly units: number;
  readonly answer: (result: AppendResult) => void;
}

/**
 * One call at a time: what came while the last one was under way goes out together in the next. That
 * makes a round trip and a commit to disk the price of a call instead of an append. Appends to one
 * stream go in separate calls, in the order in which they came.
 */
export function newAppendQueue(send: Send, limits: QueueLimits): AppendQueue {
  // By stream, so that a call takes from every stream without looking at what it leaves behind.
  const waiting = new Map<string, Waiting[]>();
  let waiting_units = 0;
  let running: Promise<void> | undefined;

  function takeCall(): Waiting[] {
    const taken: Waiting[] = [];
    const left: [string, Waiting[]][] = [];
    let events = 0;
    let units = 0;
    for (const [stream, queue] of waiting) {
      const next = queue[0]!;
      events += next.append.events.length;
      units += next.units;
      const full = events > limits.call.events || units > limits.call.units;
      if (full && taken.length > 0) break;
      taken.push(next);
      queue.shift();
      waiting.delete(stream);
      if (queue.length > 0) left.push([stream, queue]);
    }
    // To the end, so that a busy stream does not hold up the others.
    for (const [stream, queue] of left) waiting.set(stream, queue);
    for (const one of taken) waiting_units -= one.units;
    return taken;
  }

  async function run(): Promise<void> {
    while (waiting.size > 0) {
      const call = takeCall();
      try {
        const results = await send(call.map((one) => one.append));
        call.forEach((one, n) => one.answer(results[n]!));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        for (const one of call) one.answer({ kind: 'unknown', why });
      }
    }
    running = undefined;
  }

  return {
    append: (append) =>
      new Promise<AppendResult>((answer) => {
        const units = append.events.reduce((sum, { data }) => sum + data.length, 0);
        if (waiting_units + units > limits.waiting_units) {
          return answer({ kind: 'unknown', why: 'not sent: too many appends are waiting' });
        }
        waiting_units += units;
        const queue = waiting.get(append.stream);
        if (queue === undefined) waiting.set(append.stream, [{ append, units, answer }]);
        else queue.push({ append, units, answer });
        // Not at once, so that what is appended in the same turn goes in the first call too.
        running ??= Promise.resolve().then(run);
      }),
    drained: async () => running,
  };
}
