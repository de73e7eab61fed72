import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

interface Usage {
  readonly request_id: string;
  readonly account_id: string;
  readonly items: readonly { readonly operation: string; readonly quantity: number }[];
  readonly occurred_at?: string;
}

interface Decision {
  readonly request_id: string;
  readonly account_id: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly credits: string;
  readonly revision: number;
  readonly recorded_at: string;
  readonly replayed: boolean;
}

type Fault = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * The two calls of the HTTP surface that an import makes, over a ledger of one number per account: a
 * unit costs one credit. Only for what a real gateway cannot be made to do at a chosen moment.
 */
export async function startStandInGateway(key: string) {
  const balances = new Map<string, number>();
  const decided = new Map<string, { decision: Decision; content: string; usage?: Usage }>();
  const calls: { path: string; prefer: string | undefined; requests: number }[] = [];
  /** One per coming call; `undefined` lets the call through. */
  const faults: (Fault | undefined)[] = [];
  /** How many requests of each coming batch are decided before the answer; all when empty. */
  const decide_at_most: number[] = [];
  /** How many ms the answer to each coming call is held back after its decisions. */
  const hold: (number | undefined)[] = [];

  const decide = (
    { account_id, request_id }: Pick<Usage, 'account_id' | 'request_id'>,
    content: string,
    move: number,
    usage?: Usage,
  ) => {
    const id = `${account_id}/${request_id}`;
    const prior = decided.get(id);
    if (prior && prior.content === content) return { ...prior.decision, replayed: true };
    const recorded_at = new Date().toISOString();
    const revision = decided.size;
    const answered = { account_id, request_id, recorded_at, revision, replayed: false };
    if (prior) return { ...answered, outcome: 'conflict', credits: '0' };
    const after = (balances.get(account_id) ?? 0) + move;
    const decision: Decision =
      after < 0
        ? { ...answered, outcome: 'rejected', reason: 'insufficient_credits', credits: '0' }
        : {
            ...answered,
            outcome: move < 0 ? 'consumed' : 'granted',
            credits: String(Math.abs(move)),
          };
    if (after >= 0) balances.set(account_id, after);
    decided.set(id, { decision, content, ...(usage && { usage }) });
    return decision;
  };

  const answerBatch = ({ requests }: { requests: Usage[] }) => {
    const invalid = requests.flatMap((usage, index) => {
      const error = errorOf(usage);
      return error ? [{ index, errors: [error] }] : [];
    });
    const accepted = requests.flatMap((usage, index) =>
      invalid.some((one) => one.index === index) ? [] : [{ usage, index }],
    );
    const decisions = accepted
      .slice(0, decide_at_most.shift() ?? accepted.length)
      .map(({ usage, index }) => ({
        index,
        ...decide(usage, JSON.stringify(usage.items), -sumOf(usage.items), usage),
      }));
    const undecided = accepted.length - decisions.length;
    return {
      status: undecided === 0 ? 200 : 202,
      body: { accepted: accepted.length, invalid, decisions, undecided },
    };
  };

  const answerGrant = (account_id: string, body: { request_id: string; credits: string }) => {
    const id = { account_id, request_id: body.request_id };
    const grant = decide(id, body.credits, Number(body.credits));
    return { status: grant.outcome === 'conflict' ? 409 : 200, body: grant };
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    const body = JSON.parse(await text(request));
    const prefer = request.headers['prefer'] as string | undefined;
    calls.push({ path, prefer, requests: body.requests?.length ?? 1 });
    const fault = faults.shift();
    if (fault) return fault(request, response);
    if (request.headers.authorization !== `Bearer ${key}`) return send(response, 401, {});
    const account_id = /^\/v1\/accounts\/([^/]+)\/grants$/.exec(path)?.[1];
    const answer = account_id
      ? answerGrant(decodeURIComponent(account_id), body)
      : answerBatch(body);
    const held_ms = hold.shift();
    if (held_ms !== undefined) await delay(held_ms);
    send(response, answer.status, answer.body);
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    balances,
    decided,
    calls,
    faults,
    decide_at_most,
    hold,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function errorOf({ items, occurred_at }: Usage) {
  const index = items.findIndex(({ quantity }) => quantity === 666);
  if (index !== -1) return { path: `items[${index}].quantity`, message: 'must not be 666' };
  if (occurred_at === undefined || occurred_at < '2900') return undefined;
  return { path: 'occurred_at', message: 'must not be in the future' };
}

const sumOf = (items: Usage['items']): number =>
  items.reduce((sum, { quantity }) => sum + quantity, 0);

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
