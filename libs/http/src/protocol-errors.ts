import {
  maxHeaderSize,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '#libs/platform';
import type { ConnectionError, FastifyInstance } from 'fastify';
import { problemAnswer, type Answer } from './answer.js';
import { Problem, problemDetails, type ProblemDetails } from './problem.js';

/**
 * What violates HTTP itself reaches neither Fastify's hooks nor the filter, and Node answers it with
 * an empty body: this answers it with problem details, like everything else.
 */
export function refuseViolations(fastify: FastifyInstance): void {
  (fastify.server as Server).on('checkExpectation', refuseExpectation);
  fastify.addHook('onRequest', ({ raw }, _reply, done) => {
    if (raw.headers.host !== undefined || raw.httpVersion !== '1.1') done();
    else done(new Problem(refused(400, 'an HTTP/1.1 request must have the header Host')));
  });
}

function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  const detail = `Expect: ${request.headers.expect} cannot be met; send 100-continue or leave it out`;
  const { status, headers, json } = lastAnswer(refused(417, detail));
  response.writeHead(status, headers).end(json);
}

/** Answers on the socket what could not be read as a request, and closes it. */
export const refuseUnreadable =
  (logger: Pick<Logger, 'debug'>, timeout_ms: number) =>
  (error: ConnectionError, socket: Socket): void => {
    // The error holds the bytes that arrived, the key among them: it is not logged whole.
    logger.debug({ code: error.code }, 'a client went away, or sent what is not HTTP');
    const answer = lastAnswer(unreadable(error, timeout_ms));
    if (error.code !== 'ECONNRESET' && awaitsAnswer(socket)) socket.write(onTheWire(answer));
    socket.destroySoon();
  };

/**
 * Whether what is written now is taken for the answer to what was unreadable. While an earlier
 * request is decided, or its answer is being sent, it would be taken for the answer to that one.
 */
function awaitsAnswer(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  const earlier = socket._httpMessage;
  return socket.writable && !(earlier && (earlier.headersSent || earlier.req.complete));
}

function unreadable({ code, ...error }: ConnectionError & { reason?: string }, timeout_ms: number) {
  switch (code as string) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refused(408, `the whole request must arrive within ${timeout_ms / 1_000} s`);
    case 'HPE_HEADER_OVERFLOW':
      return refused(431, `URL and headers must have at most ${maxHeaderSize} bytes in all`);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return refused(413, 'the extensions of a chunk are too long; leave them out');
    default:
      return refused(400, `it cannot be read as HTTP/1.1: ${error.reason ?? code}`);
  }
}

const refused = (status: number, detail: string) => problemDetails(status, 'refused', detail);

/** What follows on the connection may be the rest of what was refused. */
function lastAnswer(details: ProblemDetails): Answer & { headers: Record<string, string> } {
  const { headers, ...answer } = problemAnswer(details);
  const content_length = String(Buffer.byteLength(answer.json));
  return {
    ...answer,
    headers: { ...headers, 'content-length': content_length, connection: 'close' },
  };
}

const onTheWire = ({ status, headers, json }: ReturnType<typeof lastAnswer>): string =>
  [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `date: ${new Date().toUTCString()}`,
    '',
    json,
  ].join('\r\n');
