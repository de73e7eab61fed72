import {
  accountKey,
  encodeRequest,
  fingerprintOf,
  TOPICS,
  type UnsentRequest,
} from '#libs/contracts';
import { requestOf } from '../ledger/history.js';
import { minutes, TENANT } from '../ledger/requests.js';
import type { AnswerChecker, Asked } from './answer-checker.js';
import type { Broker, Post } from './broker.js';
import type { Director } from './director.js';
import type { GatewayProcess, HttpCall } from './gateway-process.js';

/** Before every stamp: a request must not come from the future. */
const LONG_AGO = minutes(-1_000);
const WAITS = ['respond-async', 'wait=1', undefined, 'wait=10', 'wait=40', 'wait=40'];
/** A caller that has its decision asks again, so many times out of ten. */
const AGAIN = 1;
/** Who is told that its request is durable asks for the decision, so many times out of ten. */
const UNDECIDED_AGAIN = 4;

const MAX_CALLS = 6;

/** Whoever wants something of the ledger. */
export interface Callers {
  /** Resolves when they have what they want; never rejects. */
  send(posts: readonly Post[]): Promise<void>;
}

export interface CallersOptions {
  readonly director: Director;
  readonly broker: Broker;
  readonly answers: AnswerChecker;
  /** To which a caller may turn now; at least one. */
  readonly gateways: () => readonly GatewayProcess[];
}

export function newCallers({ director, broker, answers, gateways }: CallersOptions): Callers {
  const ask = (post: Post): Asked => {
    const attempt = broker.numberOf(post);
    const request = unsentOf(post, attempt);
    const fingerprint = fingerprintOf(request);
    const was_answered = answers.wasAnswered(request, fingerprint);
    return { attempt, request, fingerprint, was_answered };
  };

  /** A product publishes its usage itself, as does a sweep; neither gets an answer. */
  const publish = (post: Post) => {
    const { request } = ask(post);
    const topic = request.type === 'UsageRequested' ? TOPICS.usage : TOPICS.requests;
    const key = accountKey(TENANT, request.account_id);
    broker.append(topic, [{ key, value: encodeRequest(request) }]);
  };

  /** Again and again until it is decided or at least durable, unless its caller gives up. */
  const call = async (posts: readonly Post[]) => {
    for (let calls = 0; calls < MAX_CALLS; calls += 1) {
      await director.turn('call');
      const asked = posts.map(ask);
      const gateway = director.oneOf(gateways());
      const http = httpCallOf(asked, director.oneOf(WAITS));
      const end = answers.begins(asked, http, gateway);
      const answer = await gateway.call(http);
      end(answer);
      if (answer === undefined || answer.status === 503) continue;
      const again = answer.status === 202 ? UNDECIDED_AGAIN : AGAIN;
      if (director.pick(0, 9) >= again) return;
    }
  };

  return {
    async send(posts) {
      const called = posts.filter((post) => {
        const kind = kindOf(post);
        if (kind === 'sweep' || (kind === 'usage' && director.pick(0, 1) === 0)) publish(post);
        else return true;
        return false;
      });
      const usage = called.filter((post) => kindOf(post) === 'usage');
      const batch = usage.length > 1 ? usage : [];
      const alone = called.filter((post) => !batch.includes(post));
      const calls = alone.map((post) => call([post]));
      await Promise.all(batch.length > 0 ? [...calls, call(batch)] : calls);
    },
  };
}

const kindOf = (post: Post) => ('publication' in post ? 'publication' : post.command.kind);

/** Every other one leaves its time to the broker, which is another each time that it is sent. */
function unsentOf(post: Post, attempt: number): UnsentRequest {
  if ('publication' in post) {
    return { ...post.publication, metadata: { attempt: `${attempt}` } };
  }
  const { occurred_at: _, ...request } = requestOf(post.command, attempt);
  const time = attempt % 2 === 0 ? {} : { occurred_at: LONG_AGO };
  return { ...request, account_id: post.account_id, ...time } as UnsentRequest;
}

function httpCallOf(asked: readonly Asked[], prefer: string | undefined): HttpCall {
  const [first] = asked;
  const { account_id, type } = first!.request;
  const bodies = asked.map(({ request }) => bodyOf(request));
  const [body] = bodies;
  if (bodies.length > 1) {
    return { path: 'usage/batch', account_id, body: { requests: bodies }, prefer };
  }
  if (type === 'UsageRequested') return { path: 'usage', account_id, body, prefer };
  const path = type === 'PriceBookPublishRequested' ? 'price-book' : 'grants';
  return { path, account_id, body, prefer };
}

/** What a caller writes: tenant and type follow from its key and the path. */
function bodyOf(request: UnsentRequest): object {
  const wire = JSON.parse(encodeRequest(request)) as Record<string, unknown>;
  const { schema: _schema, tenant_id: _tenant, type, account_id, ...body } = wire;
  return type === 'UsageRequested' ? { account_id, ...body } : body;
}
