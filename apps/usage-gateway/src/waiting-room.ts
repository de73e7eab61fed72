import { accountKey, type Decision } from '#libs/contracts';

/** A decision, and the JSON in which the writer wrote it. */
export interface Decided {
  readonly decision: Decision;
  readonly json: string;
}

/** Which decision is waited for, in one word. */
export type Place = string & { readonly __brand: 'Place' };

/**
 * All four must match: two callers with one id and different content must not get each other's
 * answer. Ids hold no slash, so it is unambiguous.
 */
export const placeOf = (
  { tenant_id, account_id, request_id }: Pick<Decision, 'tenant_id' | 'account_id' | 'request_id'>,
  fingerprint: string,
): Place => `${accountKey(tenant_id, account_id)}/${request_id}/${fingerprint}` as Place;

/** A caller who waits for the decisions of some requests. */
export interface Party {
  /** In the order of the requests; undefined while it is not decided. */
  readonly decided: readonly (Decided | undefined)[];
  readonly undecided: number;
  /** Resolves when all are decided, or when waiting is over for everyone. */
  readonly settled: Promise<void>;
  /** Must be called in the end. */
  leave(): void;
}

export interface WaitingRoom {
  enter(places: readonly Place[]): Party;
  /**
   * Hands the decision to who has waited for it longest. Every request that is published gets a
   * decision of its own, so that of several equal ones only one is told a charge that is no replay.
   */
  deliver(decided: Decided): void;
  /** Nobody waits any longer, now or later. */
  close(): void;
}

interface Seat {
  take(decided: Decided): void;
}

export function createWaitingRoom(): WaitingRoom {
  /** By place, who came first in front. */
  const seats = new Map<Place, Set<Seat>>();
  const closing = new Set<() => void>();
  let closed = false;

  function sit(place: Place, seat: Seat): void {
    const others = seats.get(place);
    if (others) others.add(seat);
    else seats.set(place, new Set([seat]));
  }

  function rise(place: Place, seat: Seat): void {
    const others = seats.get(place);
    others?.delete(seat);
    if (others?.size === 0) seats.delete(place);
  }

  function enter(places: readonly Place[]): Party {
    const decided: (Decided | undefined)[] = places.map(() => undefined);
    let undecided = places.length;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const taken = places.map((place, index): Seat => {
      const seat: Seat = {
        take(given) {
          decided[index] = given;
          undecided -= 1;
          if (undecided === 0) settle();
        },
      };
      sit(place, seat);
      return seat;
    });
    closing.add(settle);
    if (closed || undecided === 0) settle();
    return {
      decided,
      get undecided() {
        return undecided;
      },
      settled,
      leave() {
        closing.delete(settle);
        if (undecided === 0) return;
        for (const [index, seat] of taken.entries()) {
          if (decided[index] === undefined) rise(places[index]!, seat);
        }
      },
    };
  }

  return {
    enter,
    deliver(given) {
      const { decision } = given;
      const place = placeOf(decision, decision.fingerprint);
      const [first] = seats.get(place) ?? [];
      if (!first) return;
      rise(place, first);
      first.take(given);
    },
    close() {
      closed = true;
      for (const settle of closing) settle();
    },
  };
}
