import type { Director, Fault } from './director.js';

const MAX_STANDSTILL = 100;

/** One process: whatever it waits for never comes once it is dead. */
export interface Process {
  /** As the director's, for what this process does itself. */
  readonly turn: (label: string) => Promise<void>;
  /** It does nothing more; what it has sent is on its way all the same. */
  readonly kill: () => void;
  readonly killed: Promise<void>;
}

/** All of it stands still at once, now and then, when it is of the kind that does. */
export function newProcess(director: Director, still?: Fault): Process {
  let dead = false;
  let end = () => {};
  let moving = Promise.resolve();
  const killed = new Promise<void>((resolve) => (end = resolve));
  const standStill = async () => {
    for (let n = director.pick(1, MAX_STANDSTILL); n > 0; n -= 1) await director.turn('still');
  };
  return {
    killed,
    async turn(label) {
      await director.turn(label);
      if (still !== undefined && director.strikes(still)) moving = moving.then(standStill);
      await moving;
      if (dead) await never();
    },
    kill() {
      dead = true;
      end();
    },
  };
}

export const never = () => new Promise<never>(() => {});
