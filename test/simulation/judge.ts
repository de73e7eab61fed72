import {
  accountKey,
  accountStream,
  decisionOf,
  decodeAccountEvent,
  decodeDeadLetter,
  decodeDecision,
  decodeRequest,
  fingerprintOf,
  followLink,
  GENESIS,
  TOPICS,
  VersionConflict,
  type Decision,
} from '#libs/contracts';
import { OwnershipLost, type OutgoingMessage } from '#libs/message-bus';
import { isDeepStrictEqual } from 'node:util';
import { MODEL_PRICES } from '../ledger/commands.js';
import { lineOf } from '../ledger/history.js';
import { ModelLedger } from '../ledger/model.js';
import { TENANT } from '../ledger/requests.js';
import type { Delivered } from './broker.js';
import { Injected, type Servers } from './servers.js';

/** Sees what a run does, and says what it must not have done. */
export interface Judge {
  published(topic: string, message: OutgoingMessage): void;
  committed(delivered: readonly Delivered[]): void;
  failed(error: unknown): void;
  /** At the end of a run over these messages, per partition in their order: what was wrong in it. */
  complaints(logs: readonly (readonly Delivered[])[]): string[];
}

export function newJudge({ log, read_side }: Servers): Judge {
  const complaints: string[] = [];
  const outcomes = new Map<string, string[]>();

  const streamOf = (account_id: string) =>
    (log.streams.get(accountStream(accountKey(TENANT, account_id))) ?? []).map((recorded) => ({
      recorded,
      event: decodeAccountEvent(recorded.data),
    }));

  /** An answer that is no event as it stands in the log was given too early, or made up. */
  function checkDecision(decision: Decision): void {
    const stream = streamOf(decision.account_id);
    const first = stream.find(
      ({ event }) => 'request_id' in event && event.request_id === decision.request_id,
    );
    if (decision.outcome === 'expired' || decision.outcome === 'nothing_due') return;
    if (!first || !('request_id' in first.event)) {
      complaints.push(`answered before it is durable: ${tell(decision)}`);
    } else if (decision.outcome === 'conflict') {
      const { fingerprint } = first.event;
      const isTrue =
        decision.original_fingerprint === fingerprint && decision.fingerprint !== fingerprint;
      if (!isTrue) complaints.push(`no such conflict: ${tell(decision)}`);
    } else {
      const original = decisionOf(first.event, first.recorded.revision);
      if (isDeepStrictEqual({ ...decision, replayed: false }, original)) return;
      complaints.push(`${tell(decision)} is not the original answer ${tell(original)}`);
    }
  }

  function checkAccount(account_id: string, delivered: readonly Delivered[]): void {
    const model = new ModelLedger(MODEL_PRICES);
    const steps = delivered.map(({ posted }) => model.step(posted.command, posted.stamp));
    const expected = steps.flatMap(({ recorded }) => recorded);
    const stream = streamOf(account_id);
    const lines = stream.map(({ event }) => lineOf(event));
    if (!isDeepStrictEqual(lines, expected)) {
      complaints.push(
        `${account_id} holds\n  ${lines.join('\n  ')}\nnot\n  ${expected.join('\n  ')}`,
      );
    }
    stream.reduce((head, { recorded }) => followLink(head, recorded), GENESIS);
    for (const [i, { message }] of delivered.entries()) {
      const place = placeOf(message.value);
      const given = outcomes.get(place) ?? [];
      const allowed = outcomesOf(steps[i]!.answer);
      const wrong = given.filter((outcome) => !allowed.includes(outcome));
      if (given.length === 0) complaints.push(`${place} has no answer`);
      if (wrong.length > 0) complaints.push(`${place} was ${wrong.join()}, not ${allowed.join()}`);
    }
  }

  return {
    published(topic, { value }) {
      if (topic === TOPICS.dead_letters) {
        const letter = decodeDeadLetter(String(value));
        if (letter.reason !== 'conflict') complaints.push(`dead letter: ${String(value)}`);
        return;
      }
      const decision = decodeDecision(String(value));
      checkDecision(decision);
      const { account_id, request_id, fingerprint, outcome } = decision;
      const place = `${account_id} ${request_id} ${fingerprint}`;
      outcomes.set(place, [...(outcomes.get(place) ?? []), outcome]);
    },
    committed(delivered) {
      for (const { message } of delivered) {
        const place = placeOf(message.value);
        if (!outcomes.has(place)) complaints.push(`${place} was committed without an answer`);
      }
    },
    failed(error) {
      if (!isExpected(error as Error)) complaints.push(`a batch failed: ${(error as Error).stack}`);
    },
    complaints(logs) {
      for (const [key, why] of read_side.parked) complaints.push(`${key} was parked: ${why}`);
      const all = logs.flat();
      for (const account_id of new Set(all.map(({ posted }) => posted.account_id))) {
        const own = all.filter(({ posted }) => posted.account_id === account_id);
        checkAccount(account_id, own);
      }
      return complaints;
    },
  };
}

const tell = (decision: Decision): string =>
  `${decision.account_id} ${decision.request_id} ${decision.outcome} ${decision.credits} at ${decision.revision}`;

function placeOf(value: unknown): string {
  const request = decodeRequest(String(value));
  return `${request.account_id} ${request.request_id} ${fingerprintOf(request)}`;
}

const SWEPT = ['swept', 'nothing_due'];

/** A sweep leaves no event of its own: one that comes again finds nothing due. */
function outcomesOf(answer: string): readonly string[] {
  const [outcome] = answer.replace(/^again: /, '').split(' ');
  return SWEPT.includes(outcome!) ? ['expired', 'nothing_due'] : [outcome!];
}

/** Of what a batch may fail, to be delivered again. */
const isExpected = (error: Error): boolean =>
  error instanceof Injected ||
  error instanceof OwnershipLost ||
  error instanceof VersionConflict ||
  error.name === 'AbortError' ||
  error.message.endsWith('has no price book yet');
