import { Decision, decodeDecision, httpStatusOf, type UnsentRequest } from '#libs/contracts';
import { preferenceOf } from '#apps/usage-gateway';
import type { Broker } from './broker.js';
import type { Checker } from './checker.js';
import type { Director } from './director.js';
import type { GatewayProcess, HttpAnswer, HttpCall } from './gateway-process.js';

/** One request of a call. */
export interface Asked {
  readonly attempt: number;
  readonly request: UnsentRequest;
  readonly fingerprint: string;
  /** Some caller had its decision before this one asked: it is told that. */
  readonly was_answered: boolean;
}

/** Judges what callers of the gateways are answered. */
export interface AnswerChecker {
  wasAnswered(request: UnsentRequest, fingerprint: string): boolean;
  /** Returns what must be called with the answer, or undefined when the gateway was killed. */
  begins(
    asked: readonly Asked[],
    call: HttpCall,
    gateway: Pick<GatewayProcess, 'stoppedAt'>,
  ): (answer: HttpAnswer | undefined) => void;
  /** A publish may not have made this durable, or not in time. */
  readonly troubled: (attempt: number) => void;
  /** At the end of a run. */
  violations(): string[];
}

const keyOf = (
  { account_id, request_id }: { readonly account_id: string; readonly request_id: string },
  fingerprint: string,
) => `${account_id} ${request_id} ${fingerprint}`;

/** The gateway's own deadline for a publish. */
const PUBLISH_MS = 30_000;

export function newAnswerChecker(
  director: Director,
  broker: Broker,
  checker: Checker,
  tick_ms: number,
): AnswerChecker {
  const wrong: string[] = [];
  const troubled = new Set<number>();
  const refused = new Set<number>();
  const waiting = new Set<HttpCall>();
  const given: Decision[] = [];
  /** Fingerprints of what some caller was answered with a decision. */
  const known = new Set<string>();

  const fault = (call: HttpCall, what: string, answer?: HttpAnswer) =>
    void wrong.push(`${what}: ${JSON.stringify([call, answer && { ...answer }])}`);

  /** A decision as it stands in an answer, whatever other members are beside it. */
  function readDecision(body: Readonly<Record<string, unknown>>): Decision {
    const members = Object.keys(Decision.shape).filter((name) => name in body);
    const decision = decodeDecision(
      JSON.stringify(Object.fromEntries(members.map((name) => [name, body[name]]))),
    );
    given.push(decision);
    known.add(keyOf(decision, decision.fingerprint));
    checker.answered(decision);
    return decision;
  }

  /** What a writer published that lost its partition may come after the answer of its successor. */
  const mayComeLate = () =>
    director.hasStruck(
      'writer: killed',
      'writer: stopped',
      'publish: hangs',
      'partition: moved to another writer',
    );

  const isOf = ({ request, fingerprint, was_answered }: Asked, decision: Decision) =>
    (decision.replayed || !was_answered || decision.outcome === 'conflict' || mayComeLate()) &&
    decision.fingerprint === fingerprint &&
    decision.request_id === request.request_id &&
    decision.account_id === request.account_id &&
    decision.tenant_id === request.tenant_id;

  const requireDurable = (call: HttpCall, asked: readonly Asked[], answer: HttpAnswer) => {
    const lost = asked.filter(({ attempt }) => !broker.holds(attempt));
    if (lost.length > 0) fault(call, 'answered as durable, and is not', answer);
  };

  function checkBatch(call: HttpCall, asked: readonly Asked[], answer: HttpAnswer): void {
    const { accepted, undecided, decisions } = answer.body as {
      accepted: number;
      undecided: number;
      decisions: ({ index: number } & Record<string, unknown>)[];
    };
    const decided = new Set(decisions.map(({ index }) => index));
    const adds_up =
      accepted === asked.length &&
      decided.size === decisions.length &&
      accepted === decided.size + undecided &&
      answer.status === (undecided === 0 ? 200 : 202);
    if (!adds_up) fault(call, 'it does not add up', answer);
    for (const one of decisions) {
      if (!isOf(asked[one.index]!, readDecision(one))) fault(call, 'of another', answer);
    }
    if (decisions.length > 0) director.met('a batch that is answered with decisions');
    requireDurable(
      call,
      asked.filter((_, index) => !decided.has(index)),
      answer,
    );
  }

  function checkOne(call: HttpCall, asked: Asked, answer: HttpAnswer): void {
    const { status, headers, body } = answer;
    if (status === 202) {
      director.met('a caller that is told of no decision');
      requireDurable(call, [asked], answer);
      const names_it = headers.has('location') && body['fingerprint'] === asked.fingerprint;
      if (!names_it) fault(call, 'it does not say which decision', answer);
      return;
    }
    const decision = readDecision(body);
    const is_right =
      isOf(asked, decision) &&
      status === httpStatusOf(decision) &&
      decision.replayed === headers.has('idempotent-replayed');
    if (!is_right) fault(call, 'of another, or said wrongly', answer);
    director.met(`an answer ${status}`);
    if (decision.replayed) director.met('an original answered again');
  }

  function checkRefusal(
    call: HttpCall,
    asked: readonly Asked[],
    answer: HttpAnswer,
    took_ms: number,
  ): void {
    if (answer.body['code'] === 'too_many_in_flight') {
      director.met('a caller that is turned away');
      for (const { attempt } of asked) refused.add(attempt);
      return;
    }
    const has_reason = took_ms >= PUBLISH_MS || asked.some(({ attempt }) => troubled.has(attempt));
    const is_known = answer.body['code'] === 'not_known_to_be_accepted';
    if (!is_known || !has_reason) fault(call, 'refused without a reason', answer);
    director.met('a caller that is told that nobody knows');
  }

  return {
    wasAnswered: (request, fingerprint) => known.has(keyOf(request, fingerprint)),
    begins(asked, call, gateway) {
      const began_ms = performance.now();
      waiting.add(call);
      return (answer) => {
        waiting.delete(call);
        if (answer === undefined) return director.met('a caller whose gateway is killed');
        const now_ms = performance.now();
        const took_ms = now_ms - began_ms;
        const wait_ms = preferenceOf(call.prefer).wait_seconds * 1_000;
        if (took_ms > Math.max(wait_ms, PUBLISH_MS) + tick_ms) fault(call, `took ${took_ms} ms`);
        const stopped_ms = gateway.stoppedAt() ?? now_ms;
        if (now_ms - stopped_ms > PUBLISH_MS + tick_ms) fault(call, 'is answered by nobody');
        if (answer.status === 503) checkRefusal(call, asked, answer, took_ms);
        else if (call.path === 'usage/batch') checkBatch(call, asked, answer);
        else checkOne(call, asked[0]!, answer);
      };
    },
    troubled: (attempt) => void troubled.add(attempt),
    violations() {
      for (const call of waiting) fault(call, 'it was never answered');
      for (const attempt of refused) {
        if (broker.holds(attempt)) wrong.push(`${attempt} was refused, and sent`);
      }
      // What was answered stays true.
      for (const decision of given) checker.answered(decision);
      return wrong;
    },
  };
}
