import { setTimeout as sleep } from 'node:timers/promises';
import pRetry, { AbortError } from 'p-retry';
import { z } from 'zod';
import { Credits, Outcome } from '#libs/contracts';
import { CouldNotRun } from '../exit-code.js';
import type { UsageBody } from './row-request.js';

/** What the import needs to know of a decision. */
const GatewayDecision = z.object({
  request_id: z.string(),
  account_id: z.string(),
  outcome: Outcome,
  reason: z.string().optional(),
  credits: Credits,
  /** Of the deciding event on the account's stream. */
  revision: z.int().nullable(),
  recorded_at: z.string(),
  replayed: z.boolean(),
});
export type GatewayDecision = z.infer<typeof GatewayDecision>;

const FieldError = z.object({ path: z.string(), message: z.string() });

const BatchAnswer = z.object({
  invalid: z.array(z.object({ index: z.int(), errors: z.array(FieldError).min(1) })),
  /** What was decided within the wait; `index` is the request's place in the batch. */
  decisions: z.array(GatewayDecision.extend({ index: z.int() })).default([]),
});
export type BatchAnswer = z.infer<typeof BatchAnswer>;

/** A grant's answer: decided, refused for ever, or not decided within the wait. */
const GrantAnswer = z.object({
  outcome: Outcome.optional(),
  reason: z.string().optional(),
  replayed: z.boolean().optional(),
});
export type GrantAnswer = z.infer<typeof GrantAnswer> & { readonly status: number };

interface GatewayOptions {
  readonly url: string;
  readonly key: string | undefined;
  /** Ends what waits and what is sent. */
  readonly signal: AbortSignal;
  /** Told of every attempt that failed and is repeated. */
  readonly on_retry: (why: string) => void;
  /** How long the gateway may take to answer with the decisions. */
  readonly wait_seconds: number;
  /** How long one request is repeated in vain before the import gives up. */
  readonly give_up_ms: number;
}

export interface Gateway {
  /** Every request in it that is not invalid is durable when this resolves. */
  postBatch(requests: readonly UsageBody[]): Promise<BatchAnswer>;
  postGrant(
    account_id: string,
    grant: { request_id: string; credits: string },
  ): Promise<GrantAnswer>;
}

/** The gateway answered that it may work later: repeat the same request. */
class TryAgain extends Error {
  override readonly name = 'TryAgain';
  constructor(
    message: string,
    readonly retry_after_ms: number,
  ) {
    super(message);
  }
}

const ANSWER_SLACK_MS = 15_000;
const MAX_RETRY_AFTER_MS = 60_000;

/**
 * The two calls of the ledger's HTTP surface that an import makes. Whatever leaves it unknown whether
 * a request was accepted (503, 429, a broken connection, no answer) is repeated with the same ids.
 */
export function connectGateway(options: GatewayOptions): Gateway {
  const post = (path: string, body: unknown) => postUntilAnswered(options, path, body);
  return {
    async postBatch(requests) {
      const { status, json } = await post('/v1/usage/batch', { requests });
      if (status === 200 || status === 202) return BatchAnswer.parse(json);
      throw refused(options.url, status, json);
    },
    async postGrant(account_id, { request_id, credits }) {
      const path = `/v1/accounts/${encodeURIComponent(account_id)}/grants`;
      const { status, json } = await post(path, { request_id, credits, kind: 'pack' });
      if ([200, 202, 409, 422].includes(status)) return { ...GrantAnswer.parse(json), status };
      throw refused(options.url, status, json);
    },
  };
}

interface HttpAnswer {
  readonly status: number;
  readonly json: unknown;
}

const postUntilAnswered = (
  options: GatewayOptions,
  path: string,
  body: unknown,
): Promise<HttpAnswer> => {
  const { signal, give_up_ms, on_retry } = options;
  const text = JSON.stringify(body);
  return pRetry(() => post(options, path, text), {
    signal,
    retries: Number.POSITIVE_INFINITY,
    maxRetryTime: give_up_ms,
    minTimeout: 200,
    maxTimeout: 10_000,
    randomize: true,
    async onFailedAttempt({ error }) {
      on_retry(error.message);
      if (error instanceof TryAgain) await sleep(error.retry_after_ms, undefined, { signal });
    },
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof CouldNotRun) throw error;
    throw new CouldNotRun(
      `no answer from LEDGER_URL ${options.url} for ${Math.round(give_up_ms / 1_000)} s ` +
        `(${(error as Error).message}): is it running? The same command resumes`,
    );
  });
};

async function post(
  { url, key, wait_seconds, signal }: GatewayOptions,
  path: string,
  body: string,
): Promise<HttpAnswer> {
  const deadline = AbortSignal.timeout(wait_seconds * 1_000 + ANSWER_SLACK_MS);
  const response = await fetch(new URL(path, url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      prefer: `wait=${wait_seconds}`,
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    body,
    signal: AbortSignal.any([signal, deadline]),
  }).catch((error: Error) => {
    throw new TryAgain(isRefused(error) ? `nothing listens at LEDGER_URL ${url}` : lost(error), 0);
  });
  const { status } = response;
  if (status === 429 || status >= 500) {
    await response.body?.cancel();
    throw new TryAgain(
      `not known to be accepted: HTTP ${status}`,
      retryAfterMs(response.headers.get('retry-after')),
    );
  }
  const json: unknown = await response.json().catch((error: Error) => {
    throw new TryAgain(lost(error), 0);
  });
  if (status === 401) throw new AbortError(unauthorized(key));
  return { status, json };
}

/** fetch says only `fetch failed`; what happened is in its cause. */
const causeIn = ({ cause }: Error): { code?: string; message?: string } =>
  typeof cause === 'object' && cause !== null ? cause : {};

const isRefused = (error: Error): boolean => causeIn(error).code === 'ECONNREFUSED';

const lost = (error: Error): string => {
  const { code, message } = causeIn(error);
  return `not known to be accepted: ${message || code || error.message}`;
};

const unauthorized = (key: string | undefined) =>
  new CouldNotRun(
    `the gateway ${key === undefined ? 'wants a key' : 'does not know this key'}: set LEDGER_API_KEY, ` +
      'or LEDGER_DEV_KEY to the key that the ledger was started with (else it is in DATA_DIR/dev-key)',
  );

function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1_000;
  return Math.min(Math.max(ms || 0, 0), MAX_RETRY_AFTER_MS);
}

function refused(url: string, status: number, json: unknown): CouldNotRun {
  const { detail } = (json ?? {}) as { readonly detail?: string };
  return new CouldNotRun(
    `${url} refused the request: HTTP ${status}${detail ? `, ${detail}` : ''}`,
  );
}
