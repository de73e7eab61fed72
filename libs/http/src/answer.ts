import type { FastifyReply } from 'fastify';
import { PROBLEM_JSON } from '#libs/platform';
import type { ProblemDetails } from './problem.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** What a handler answers: an expected outcome is a value, a 402 as much as a 200. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body, written as JSON. */
  readonly json: string;
}

/** JSON with every bigint as a decimal string. */
export const jsonText = (value: unknown): string => JSON.stringify(value, bigintAsText);

const bigintAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

export const problemAnswer = (
  details: ProblemDetails,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status: details.status,
  headers: { ...headers, 'content-type': PROBLEM_JSON },
  json: jsonText(details),
});

export function sendAnswer(reply: FastifyReply, { status, headers, json }: Answer): void {
  reply.status(status).header('content-type', JSON_TYPE);
  if (headers !== undefined) reply.headers(headers);
  // A reply with its own serializer keeps its content type: RFC 9457 defines no charset.
  void reply.serializer(asItIs).send(json);
}

const asItIs = (json: unknown): string => json as string;
