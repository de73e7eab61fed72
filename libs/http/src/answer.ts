import type { FastifyReply } from 'fastify';
import { PROBLEM_JSON, type ProblemDetails } from './problem.js';

/** What a handler answers: an expected outcome is a value, a 402 as much as a 200. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export const problemAnswer = (
  details: ProblemDetails,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status: details.status,
  headers: { ...headers, 'content-type': PROBLEM_JSON },
  body: details,
});

export const sendAnswer = (reply: FastifyReply, { status, headers = {}, body }: Answer): void =>
  void reply.status(status).headers(headers).send(body);
