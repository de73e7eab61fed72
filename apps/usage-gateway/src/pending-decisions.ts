import { accountKey, type Decision } from '#libs/contracts';

/** A decision, and the JSON in which the writer wrote it. */
export interface Decided {
  readonly decision: Decision;
  readonly json: string;
}

/** Identifies a decision that is waited for. */
export type DecisionKey = string & { readonly __brand: 'DecisionKey' };

/**
 * All four must match: two callers with one id and different content must not get each other's
 * answer. Ids hold no slash, so it is unambiguous.
 */
export const decisionKeyOf = (
  { tenant_id, account_id, request_id }: Pick<Decision, 'tenant_id' | 'account_id' | 'request_id'>,
  fingerprint: string,
): DecisionKey =>
  `${accountKey(tenant_id, account_id)}/${request_id}/${fingerprint}` as DecisionKey;

/** A caller who waits for the decisions of its requests. */
export interface PendingCall {
  /** In the order of the requests; undefined while it is not decided. */
  readonly decided: readonly (Decided | undefined)[];
  readonly undecided: number;
  /** Resolves when all are decided, or when waiting is over for everyone. */
  readonly settled: Promise<void>;
  /** Must be called in the end. */
  remove(): void;
}

export interface PendingDecisions {
  /** From now on a call waits for a decision of each of these keys. */
  add(keys: readonly DecisionKey[]): PendingCall;
  /**
   * Hands the decision to whoever has waited for it longest. Every request that is published gets a
   * decision of its own, so that of several equal ones only one gets a charge that is no replay.
   */
  deliver(decided: Decided): void;
  /** Nobody waits any longer, now or later. */
  close(): void;
}

/** One request of a call. */
interface Waiter {
  receive(decided: Decided): void;
}

export function createPendingDecisions(): PendingDecisions {
  /** Who waits for the same decision, in the order of adding. */
  const waiters = new Map<DecisionKey, Set<Waiter>>();
  const closing = new Set<() => void>();
  let closed = false;

  function addWaiter(key: DecisionKey, waiter: Waiter): void {
    const others = waiters.get(key);
    if (others) others.add(waiter);
    else waiters.set(key, new Set([waiter]));
  }

  function removeWaiter(key: DecisionKey, waiter: Waiter): void {
    const others = waiters.get(key);
    others?.delete(waiter);
    if (others?.size === 0) waiters.delete(key);
  }

  function add(keys: readonly DecisionKey[]): PendingCall {
    const decided: (Decided | undefined)[] = keys.map(() => undefined);
    let undecided = keys.length;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => (settle = resolve));
    const added = keys.map((key, index): Waiter => {
      const waiter: Waiter = {
        receive(given) {
          decided[index] = given;
          undecided -= 1;
          if (undecided === 0) settle();
        },
      };
      addWaiter(key, waiter);
      return waiter;
    });
    closing.add(settle);
    if (closed || undecided === 0) settle();
    return {
      decided,
      get undecided() {
        return undecided;
      },
      settled,
      remove() {
        closing.delete(settle);
        if (undecided === 0) return;
        for (const [index, waiter] of added.entries()) {
          if (decided[index] === undefined) removeWaiter(keys[index]!, waiter);
        }
      },
    };
  }

  return {
    add,
    deliver(given) {
      const { decision } = given;
      const key = decisionKeyOf(decision, decision.fingerprint);
      const [first] = waiters.get(key) ?? [];
      if (!first) return;
      removeWaiter(key, first);
      first.receive(given);
    },
    close() {
      closed = true;
      for (const settle of closing) settle();
    },
  };
}
