/** Messages and bytes that may wait in memory; who comes when it is full waits in turn. */
export interface Admission {
  /** Takes room if there is some and nobody waits for it. */
  readonly tryEnter: (load: Load) => boolean;
  /** Resolves when there is room, and takes it. Rejects with PublishTimeout after the deadline. */
  readonly enter: (load: Load, deadline: number) => Promise<void>;
  readonly leave: (load: Load) => void;
}

export interface Load {
  readonly messages: number;
  readonly bytes: number;
}

/** The messages may or may not have been written. */
export class PublishTimeout extends Error {
  override readonly name = 'PublishTimeout';
}

export function createAdmission(limit: Load): Admission {
  const inside = { messages: 0, bytes: 0 };
  const waiting = new Set<() => void>();

  const isFull = () => inside.messages >= limit.messages || inside.bytes >= limit.bytes;
  const take = (load: Load) => {
    inside.messages += load.messages;
    inside.bytes += load.bytes;
  };

  const tryEnter = (load: Load) => {
    if (isFull() || waiting.size > 0) return false;
    take(load);
    return true;
  };

  return {
    tryEnter,
    async enter(load, deadline) {
      if (tryEnter(load)) return;
      await new Promise<void>((resolve, reject) => {
        const admit = () => {
          waiting.delete(admit);
          clearTimeout(timer);
          take(load);
          resolve();
        };
        const timer = setTimeout(() => {
          waiting.delete(admit);
          reject(new PublishTimeout('the queue of the message bus stayed full'));
        }, deadline - performance.now());
        waiting.add(admit);
      });
    },
    leave(load) {
      inside.messages -= load.messages;
      inside.bytes -= load.bytes;
      for (const admit of waiting) {
        if (isFull()) return;
        admit();
      }
    },
  };
}
