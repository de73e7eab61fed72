import type { Decision } from '#libs/contracts';

/** Which decision is waited for: all four must match. */
export interface Awaited {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
  /** Two callers with one id and different content must not get each other's answer. */
  readonly fingerprint: string;
}

/** Callers who wait for the decisions of some requests. */
export interface Party {
  /** In the order of the requests; undefined while it is not decided. */
  readonly decisions: readonly (Decision | undefined)[];
  /** Resolves when all are decided, or when waiting is over for everyone. */
  readonly settled: Promise<void>;
  /** Must be called in the end. */
  leave(): void;
}

interface Seat {
  readonly fingerprint: string;
  take(decision: Decision): void;
}

export interface WaitingRoom {
  enter(awaited: readonly Awaited[]): Party;
  /** Hands the decision to everyone who waits for it. */
  deliver(decision: Decision): void;
  /** Nobody waits any longer, now or later. */
  close(): void;
}

export function createWaitingRoom(): WaitingRoom {
  const seats = new Map<string, Set<Seat>>();
  const closing = new Set<() => void>();
  let closed = false;

  function enter(awaited: readonly Awaited[]): Party {
    const decisions: (Decision | undefined)[] = awaited.map(() => undefined);
    let undecided = awaited.length;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const taken = awaited.map((one, index) => {
      const seat: Seat = {
        fingerprint: one.fingerprint,
        take(decision) {
          if (decisions[index]) return;
          decisions[index] = decision;
          undecided -= 1;
          if (undecided === 0) settle();
        },
      };
      const key = keyOf(one);
      seats.set(key, (seats.get(key) ?? new Set()).add(seat));
      return { key, seat };
    });
    closing.add(settle);
    if (closed || awaited.length === 0) settle();
    return {
      decisions,
      settled,
      leave() {
        closing.delete(settle);
        for (const { key, seat } of taken) {
          const others = seats.get(key);
          others?.delete(seat);
          if (others?.size === 0) seats.delete(key);
        }
      },
    };
  }

  return {
    enter,
    deliver(decision) {
      for (const seat of seats.get(keyOf(decision)) ?? []) {
        if (seat.fingerprint === decision.fingerprint) seat.take(decision);
      }
    },
    close() {
      closed = true;
      for (const settle of closing) settle();
    },
  };
}

const keyOf = ({ tenant_id, account_id, request_id }: Omit<Awaited, 'fingerprint'>): string =>
  `${tenant_id}/${account_id}/${request_id}`;
