import fc from 'fast-check';
import {
  decodeAccountEvent,
  encodeEvent,
  followLink,
  GENESIS,
  type StreamHead,
} from '#libs/contracts';
import { sequences, type Sent } from '../../../test/ledger/commands.js';
import {
  emptyHistory,
  play,
  record,
  type History,
  type Step,
} from '../../../test/ledger/history.js';
import { ACCOUNT, TENANT } from '../../../test/ledger/requests.js';
import { initialAccount, type Grant } from './account.js';
import { decide } from './decide.js';
import { listDue } from './due.js';
import { evolve } from './evolve.js';
import { decodeAccount, encodeAccount } from './snapshot.js';

const RUNS = { numRuns: 100 };

/** For every sequence of requests. */
const always = (check: (history: History, sent: readonly Sent[]) => void) =>
  fc.assert(
    fc.property(sequences, (sent) => check(play(sent), sent)),
    RUNS,
  );

const bytesOf = (history: History) => history.linked.map(({ data }) => data);

it('I1 a request is decided by one event, the last that it records; what fell due names it', () => {
  always(({ steps }) => {
    const decided = new Set<string>();
    for (const { request, events } of steps) {
      const sweep = request.type === 'SweepRequested';
      for (const [i, event] of events.entries()) {
        const last = i === events.length - 1 && !sweep;
        expect('request_id' in event).toBe(last);
        const named = 'request_id' in event ? event.request_id : event.caused_by;
        expect(named).toBe(request.request_id);
        if (!last) continue;
        expect(decided.has(named)).toBe(false);
        decided.add(named);
      }
    }
  });
});

/** A sweep delivered again may find what fell due since; it is no decision and moves nothing else. */
const isNoSweep = ({ command }: Sent) => command.kind !== 'sweep';

it('I1, I2 whatever is delivered again, from anywhere on, adds no event', () => {
  fc.assert(
    fc.property(sequences, fc.nat(60), (sent, from) => {
      const history = play(sent);
      const { length } = history.linked;
      const again = play(sent.slice(from).filter(isNoSweep), history);
      expect(again.linked).toHaveLength(length);
      for (const { verdict } of again.steps.slice(sent.length)) {
        expect(verdict.kind).toBe('answered');
      }
    }),
    RUNS,
  );
});

it('I3 the balance is never negative, after any event', () => {
  always(({ linked }) => {
    for (const { data } of linked) {
      const { available, reserved } = decodeAccountEvent(data).balance_after;
      expect(available >= 0n && reserved === 0n).toBe(true);
    }
  });
});

/** Sums over the stored bytes alone, by grant: what came in, what went out. */
function sumsOf(stored: readonly string[]): { left: Map<string, bigint>; scheduled: Set<string> } {
  const left = new Map<string, bigint>();
  const scheduled = new Set<string>();
  const add = (grant: string, credits: bigint) =>
    left.set(grant, (left.get(grant) ?? 0n) + credits);
  for (const data of stored) {
    const event = JSON.parse(data) as {
      type: string;
      state?: string;
      grant_id: string;
      allocations: { grant_id: string; credits: string }[];
    };
    if (event.type === 'GrantActivated') scheduled.delete(event.grant_id);
    if (!['CreditsGranted', 'UsageConsumed', 'CreditsExpired'].includes(event.type)) continue;
    if (event.state === 'scheduled') scheduled.add(event.grant_id);
    const sign = event.type === 'CreditsGranted' ? 1n : -1n;
    for (const { grant_id, credits } of event.allocations) add(grant_id, sign * BigInt(credits));
  }
  return { left, scheduled };
}

it('I4 granted − consumed − expired = what is left, for each grant and for the account', () => {
  always((history) => {
    const { left, scheduled } = sumsOf(bytesOf(history));
    const open = [...left].filter(([, credits]) => credits !== 0n);
    const { grants, available } = history.account;
    const state = new Map(grants.map(({ grant_id, remaining }) => [grant_id, remaining]));
    expect(new Map(open)).toEqual(state);
    const counted = open.filter(([grant_id]) => !scheduled.has(grant_id));
    expect(counted.reduce((sum, [, credits]) => sum + credits, 0n)).toBe(available);
    expect(open.every(([, credits]) => credits > 0n)).toBe(true);
  });
});

it('I5 the fold of the stored bytes is the account, after every event', () => {
  always(({ linked, account }) => {
    const replayed = initialAccount(TENANT, ACCOUNT);
    for (const { data } of linked) {
      const event = decodeAccountEvent(data);
      expect(encodeEvent(event)).toBe(data);
      evolve(replayed, event);
    }
    expect(replayed).toEqual(account);
  });
});

it('I5 the same requests decided again give the same bytes, ids and chain', () => {
  always((history, sent) => expect(play(sent).linked).toEqual(history.linked));
});

it('I5 a decision depends on nothing but its arguments: asked twice, from a snapshot, it is the same', () => {
  always(({ steps }) => {
    for (const { request, before, context, verdict } of steps) {
      if (verdict.kind !== 'recorded') continue;
      const restored = decodeAccount(TENANT, ACCOUNT, encodeAccount(before));
      expect(restored).toEqual(before);
      const again = decide(request, restored, undefined, context);
      expect(again).toEqual(verdict);
      expect(restored).toEqual(before);
    }
  });
});

it('I5 a snapshot anywhere in between changes no later byte', () => {
  fc.assert(
    fc.property(sequences, fc.nat(45), (sent, at) => {
      const history = play(sent.slice(0, at));
      history.account = decodeAccount(TENANT, ACCOUNT, encodeAccount(history.account));
      const resumed = play(sent.slice(at), history);
      const straight = play(sent);
      expect(resumed.linked).toEqual(straight.linked);
      expect(encodeAccount(resumed.account)).toBe(encodeAccount(straight.account));
    }),
    RUNS,
  );
});

it('I9 the chain is unbroken; without one of its events, or with two exchanged, it is not', () => {
  const follow = (history: History, linked: History['linked']): StreamHead =>
    linked.reduce(
      (head, event, revision) => followLink(head, { ...event, stream: 's', revision }),
      GENESIS,
    );
  fc.assert(
    fc.property(sequences, fc.nat(60), (sent, pick) => {
      const history = play(sent);
      const { linked, head } = history;
      expect(follow(history, linked)).toEqual(head);
      if (linked.length < 2) return;
      const at = pick % (linked.length - 1);
      expect(() => follow(history, linked.toSpliced(at, 1))).toThrow('chain is broken');
      const exchanged = linked.toSpliced(at, 2, linked[at + 1]!, linked[at]!);
      expect(() => follow(history, exchanged)).toThrow('chain is broken');
    }),
    RUNS,
  );
});

/** As text that sorts: an order of its own, to hold against compareBurnOrder. */
const burnKey = ({ priority, expires_at, granted_at, grant_id }: Grant) =>
  [String(priority).padStart(4, '0'), expires_at ?? '~', granted_at, grant_id].join(' ');

/** The active grants just before a decision, in burn order, after what fell due with it. */
function burnable({ before, events }: Step): Grant[] {
  const history = { ...emptyHistory(), account: structuredClone(before) };
  for (const event of events.slice(0, -1)) record(history, event);
  return history.account.grants
    .filter((grant) => grant.state === 'active')
    .sort((a, b) => (burnKey(a) < burnKey(b) ? -1 : 1));
}

it('a charge is the sum of its lines and of its allocations, and burns in burn order', () => {
  always(({ steps }) => {
    for (const step of steps) {
      const charge = step.events.at(-1);
      if (charge?.type !== 'UsageConsumed') continue;
      const sum = (parts: readonly { credits: bigint }[]) =>
        parts.reduce((total, { credits }) => total + credits, 0n);
      expect(sum(charge.lines)).toBe(charge.credits);
      expect(sum(charge.allocations)).toBe(charge.credits);
      const grants = burnable(step);
      for (const [i, { grant_id, credits }] of charge.allocations.entries()) {
        const last = i === charge.allocations.length - 1;
        expect(grant_id).toBe(grants[i]!.grant_id);
        expect(last ? credits <= grants[i]!.remaining : credits === grants[i]!.remaining).toBe(
          true,
        );
      }
    }
  });
});

it('time never runs backwards on a stream, though the broker’s clock may', () => {
  always(({ steps }) => {
    let last = '';
    for (const { events } of steps) {
      for (const { recorded_at } of events) {
        expect(recorded_at >= last).toBe(true);
        last = recorded_at;
      }
    }
  });
});

it('what is listed as due is what the next decision records', () => {
  always(({ steps }) => {
    for (const { before, context, verdict, events } of steps) {
      if (verdict.kind !== 'recorded') continue;
      const due = events.flatMap((event) =>
        'caused_by' in event ? [[event.occurred_at, event.grant_id, event.credits]] : [],
      );
      const listed = listDue(before, context.now).map(({ due_at, grant }) => [
        due_at,
        grant.grant_id,
        grant.remaining,
      ]);
      expect(listed).toEqual(due);
    }
  });
});
