import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { redact, type Logger } from '#libs/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemAnswer, sendAnswer } from './answer.js';
import { Problem, problemDetails, type ProblemDetails } from './problem.js';

interface Answered {
  readonly details: ProblemDetails;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Turns whatever was thrown, by a handler, by Nest or by Fastify, into problem details. What is not
 * the caller's fault is logged whole and answered as `internal_error`, without its message.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Pick<Logger, 'error' | 'debug'>) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const request = http.getRequest<FastifyRequest>();
    const { details, headers = {} } = this.answerTo(exception, request);
    if (reply.sent) return;
    const request_id = requestIdOf(request.body);
    const answered = { ...(request_id !== undefined && { request_id }), ...details };
    sendAnswer(reply, problemAnswer(answered, headers));
  }

  private answerTo(exception: unknown, request: FastifyRequest): Answered {
    if (exception instanceof Problem) return exception;
    const refusal = refusalIn(exception);
    if (refusal !== undefined) {
      this.logger.debug(
        { err: exception, route: request.routeOptions?.url },
        'a request was refused',
      );
      return { details: frameworkProblem(refusal, request) };
    }
    this.logger.error({ err: exception, route: request.routeOptions?.url }, 'a request failed');
    const detail = 'something went wrong here; whether it was accepted is unknown: repeat it';
    return { details: problemDetails(500, 'internal_error', detail) };
  }
}

interface Refusal {
  readonly status: number;
  readonly message: string;
}

/**
 * What Nest or Fastify holds against the caller. A client that goes away while it sends its body is
 * an error of the socket, which Fastify gives the status 400: its fault, and no failure here.
 */
function refusalIn(exception: unknown): Refusal | undefined {
  const { statusCode, message } = (exception ?? {}) as { statusCode?: unknown; message?: unknown };
  const status = exception instanceof HttpException ? exception.getStatus() : statusCode;
  if (typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  return { status, message: String(message) };
}

/** What Nest or Fastify refused before a handler saw it. */
function frameworkProblem(refusal: Refusal, request: FastifyRequest): ProblemDetails {
  const { status } = refusal;
  const message = redact(refusal.message);
  switch (status) {
    case 400:
      return problemDetails(400, 'invalid_request', message, { errors: [{ path: '', message }] });
    case 404:
      return problemDetails(404, 'no_such_route', `there is no ${request.method} ${request.url}`);
    case 413:
      return problemDetails(413, 'body_too_large', `${message}; split it into several requests`);
    case 415:
      return problemDetails(415, 'unsupported_media_type', `${message}; send application/json`);
    default:
      return problemDetails(status, 'refused', message);
  }
}

const MAX_REQUEST_ID = 128;

/** The caller's own id, so that it can tell which of its requests this answers. */
function requestIdOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('request_id' in body)) return undefined;
  const { request_id } = body;
  if (typeof request_id !== 'string' || request_id.length > MAX_REQUEST_ID) return undefined;
  return request_id;
}
