import {
  accountKey,
  accountStream,
  decisionOf,
  decodeAccountEvent,
  decodeDeadLetter,
  decodeDecision,
  decodePriceBookEvent,
  decodeRequest,
  fingerprintOf,
  followLink,
  GENESIS,
  laterOf,
  PRICE_BOOK_ACCOUNT,
  priceBookStream,
  TOPICS,
  VersionConflict,
  type AccountEvent,
  type Decision,
  type MessageCoordinate,
} from '#libs/contracts';
import type { RecordedEvent } from '#libs/event-store';
import { OwnershipLost, type OutgoingMessage, type ReceivedMessage } from '#libs/message-bus';
import { isDeepStrictEqual } from 'node:util';
import { MODEL_PRICES } from '../ledger/commands.js';
import { lineOf } from '../ledger/history.js';
import { ModelLedger } from '../ledger/model.js';
import { TENANT } from '../ledger/requests.js';
import type { AccountPost, Delivered, Log } from './broker.js';
import type { Director } from './director.js';
import { Injected, type Servers } from './servers.js';

/** Observes a run and collects what it must not have done. */
export interface Checker {
  published(topic: string, message: OutgoingMessage): void;
  /** A caller is answered with this decision. */
  answered(decision: Decision): void;
  /** Everything before this offset is committed from now on. */
  committed(log: Log, end: number): void;
  readonly failed: (error: unknown) => void;
  /** At the end of a run over these messages: what was wrong in it. */
  violations(delivered: readonly Delivered[]): string[];
}

interface Wanted {
  readonly command: AccountPost['command'];
  readonly message: Delivered['message'];
}

export function newChecker({ log, read_side }: Servers, director: Pick<Director, 'met'>): Checker {
  const violations: string[] = [];
  const outcomes = new Map<string, string[]>();
  const committed = new Map<string, number>();

  const known = new Map<string, { recorded: RecordedEvent; event: unknown }[]>();
  const read = <E>(stream: string, decode: (data: string) => E) => {
    const decoded = known.get(stream) ?? [];
    for (const recorded of (log.streams.get(stream) ?? []).slice(decoded.length)) {
      decoded.push({ recorded, event: decode(recorded.data) });
    }
    known.set(stream, decoded);
    return decoded as { recorded: RecordedEvent; event: E }[];
  };
  const books = () => read(priceBookStream(TENANT), decodePriceBookEvent);
  const eventsOf = (account_id: string) =>
    read(accountStream(accountKey(TENANT, account_id)), decodeAccountEvent);

  /** An answer that differs from the event in the log was given too early, or made up. */
  function checkDecision(decision: Decision): void {
    const { account_id, request_id } = decision;
    const stream = account_id === PRICE_BOOK_ACCOUNT ? books() : eventsOf(account_id);
    if (decision.outcome === 'expired' || decision.outcome === 'nothing_due') return;
    for (const { event, recorded } of stream) {
      if (!('request_id' in event) || event.request_id !== request_id) continue;
      const original = decisionOf(event, recorded.revision);
      const is_true =
        decision.outcome === 'conflict'
          ? decision.original_fingerprint === event.fingerprint &&
            decision.fingerprint !== event.fingerprint
          : isDeepStrictEqual({ ...decision, replayed: false }, original);
      if (!is_true)
        violations.push(`${textOf(decision)} is answered, ${textOf(original)} recorded`);
      return;
    }
    violations.push(`answered before it is durable: ${textOf(decision)}`);
  }

  /** Commands in the order in which they were decided, which is that of their topic. */
  function decidedOf(events: readonly AccountEvent[], wanted: readonly Wanted[]): Wanted[] {
    const by_place = new Map(wanted.map((one) => [coordinateOf(one.message), one]));
    const decided: Wanted[] = [];
    const last = new Map<string, number>();
    for (const event of events) {
      const one = by_place.get(coordinateOf(event.source))!;
      if ('request_id' in event) {
        const { topic, offset } = event.source;
        if (offset < (last.get(topic) ?? -1)) violations.push(`${topic}@${offset} was overtaken`);
        last.set(topic, offset);
        const isEarlier = ({ command, message }: Wanted) =>
          command.id === event.request_id && message.topic === topic && message.offset < offset;
        if (wanted.some(isEarlier))
          violations.push(`${topic}@${offset} is not the first of its id`);
        decided.push(one);
      } else {
        // What fell due may go ahead of the request that caused it, as if by a sweep.
        decided.push({ ...one, command: { kind: 'sweep', id: event.caused_by } });
      }
    }
    return decided;
  }

  function checkAccount(account_id: string, wanted: readonly Wanted[]): void {
    const stream = eventsOf(account_id);
    const events = stream.map(({ event }) => event);
    const decided = decidedOf(events, wanted);
    const model = new ModelLedger(MODEL_PRICES);
    const step = ({ command, message }: Wanted) => model.step(command, message.timestamp);
    const expected = decided.flatMap((one) => step(one).recorded);
    const lines = events.map(lineOf);
    if (!isDeepStrictEqual(lines, expected)) {
      violations.push(`${account_id}: ${lines.join('\n  ')}\nis not\n  ${expected.join('\n  ')}`);
    }
    stream.reduce((head, { recorded }) => followLink(head, recorded), GENESIS);
    for (const one of wanted) {
      const place = placeOf(one.message);
      const given = outcomes.get(place) ?? [];
      // All that has an event of its own was decided: this is an answer to it once more.
      const allowed = outcomesOf(step(one).answer);
      const wrong = given.filter((outcome) => !allowed.includes(outcome));
      if (wrong.length > 0) violations.push(`${place} was ${wrong.join()}, not ${allowed.join()}`);
    }
  }

  /** The price book of an event is the one in force when it was recorded. */
  function checkPrices(events: readonly AccountEvent[]): void {
    const versions = books().flatMap(({ event }) =>
      event.type === 'PriceBookPublished' ? [event] : [],
    );
    for (const event of events) {
      if (event.type !== 'UsageConsumed' && event.type !== 'UsageRejected') continue;
      const { recorded_at, price_book_version } = event;
      const begun = versions.filter(({ effective_from }) => effective_from <= recorded_at);
      const latest = begun.map((book) => book.effective_from).reduce((a, b) => laterOf(a, b));
      const in_force = begun.findLast(({ effective_from }) => effective_from === latest)!;
      if (begun.length > 1) director.met('a request by a later price book');
      if (in_force.version === price_book_version) continue;
      violations.push(`${event.request_id}: ${price_book_version}, not ${in_force.version}`);
    }
  }

  return {
    published(topic, { value }) {
      if (topic === TOPICS.dead_letters) {
        const letter = decodeDeadLetter(String(value));
        if (letter.reason !== 'conflict') violations.push(`dead letter: ${String(value)}`);
        return;
      }
      const decision = decodeDecision(String(value));
      checkDecision(decision);
      const { account_id, request_id, fingerprint, outcome } = decision;
      const place = `${account_id} ${request_id} ${fingerprint}`;
      outcomes.set(place, [...(outcomes.get(place) ?? []), outcome]);
    },
    answered: checkDecision,
    committed({ delivered, committed: from }, end) {
      if (end < from) violations.push(`a commit went back from ${from} to ${end}`);
      for (const { message } of delivered.slice(from, end)) {
        const place = placeOf(message);
        const count = (committed.get(place) ?? 0) + 1;
        committed.set(place, count);
        // Each message is answered, also one that says the same as another.
        const given = outcomes.get(place)?.length ?? 0;
        if (given < count) violations.push(`${place} was committed without an answer`);
      }
    },
    failed(error) {
      if (isTooEarly(error as Error)) director.met('usage that waits for its prices');
      if (!isExpected(error as Error)) violations.push(`a batch failed: ${(error as Error).stack}`);
    },
    violations(delivered) {
      for (const [key, why] of read_side.parked) violations.push(`${key} was parked: ${why}`);
      const by_account = new Map<string, Wanted[]>();
      for (const { post, message } of delivered) {
        if ('publication' in post) continue;
        const { account_id, command } = post;
        by_account.set(account_id, [...(by_account.get(account_id) ?? []), { command, message }]);
      }
      for (const [account_id, wanted] of by_account) {
        checkAccount(account_id, wanted);
        checkPrices(eventsOf(account_id).map(({ event }) => event));
      }
      return violations;
    },
  };
}

const textOf = ({ account_id, request_id, outcome, credits, revision }: Decision): string =>
  `${account_id} ${request_id} ${outcome} ${credits} at ${revision}`;

const coordinateOf = ({ topic, partition, offset }: MessageCoordinate): string =>
  `${topic}/${partition}@${offset}`;

function placeOf({ value, timestamp }: ReceivedMessage): string {
  const request = decodeRequest(String(value), timestamp);
  return `${request.account_id} ${request.request_id} ${fingerprintOf(request)}`;
}

const SWEPT = ['swept', 'nothing_due'];

/** A sweep leaves no event of its own: one that comes again finds nothing due. */
function outcomesOf(answer: string): readonly string[] {
  const [outcome] = answer.replace(/^again: /, '').split(' ');
  return SWEPT.includes(outcome!) ? ['expired', 'nothing_due'] : [outcome!];
}

const isTooEarly = ({ message }: Error) => message.includes('cannot be priced yet');

/** Whether a batch may fail with it, to be delivered again. */
const isExpected = (error: Error): boolean =>
  error instanceof Injected ||
  error instanceof OwnershipLost ||
  error instanceof VersionConflict ||
  error.name === 'AbortError' ||
  isTooEarly(error) ||
  /has no price book yet$|its notice runs out$|append refused, not allowed$/.test(error.message);
