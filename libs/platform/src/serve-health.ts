import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { watchConnections } from './connections.js';
import { boundUrl, listeningOn } from './listening.js';
import { healthProblem, type Health, type HealthKind } from './health.js';
import { METRICS_TYPE, scrape } from './metrics.js';
import { PROBLEM_JSON, problemOf } from './problem.js';
import type { Service } from './service.js';

/** A caller must have sent its whole request within this time. */
const REQUEST_TIMEOUT_MS = 30_000;
const JSON_TYPE = 'application/json; charset=utf-8';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Served = Pick<Service, 'configuration' | 'health' | 'metrics' | 'logger' | 'shutdown'>;

/**
 * /healthz, /readyz and /metrics of a worker that serves nothing else, on HOST and PORT; they need no
 * key. Plain Node: three answers need no web framework in a worker's heap. To be called before the worker
 * takes any work: one whose port is in use must not take it from others first. Resolves with the URL.
 */
export async function serveHealth(service: Served): Promise<string> {
  const { configuration, logger, shutdown } = service;
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void answerTo(request, service)
      .catch((err: unknown) => {
        logger.error({ err, url: request.url }, 'a request failed');
        return problem(500, 'internal_error', 'something went wrong here');
      })
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type }).end(body);
      });
  });
  const endConnections = watchConnections(server);
  await listeningOn(configuration, (address) => once(server.listen(address), 'listening'));
  shutdown.step('http', () => {
    const closed = new Promise((done) => server.close(done));
    endConnections();
    return closed;
  });
  return boundUrl(server);
}

const ROUTES = new Map<string | undefined, (served: Served) => Promise<Answer>>([
  ['/healthz', ({ health }) => healthAnswer(health, 'liveness')],
  ['/readyz', ({ health }) => healthAnswer(health, 'readiness')],
  ['/metrics', metricsAnswer],
]);

async function answerTo({ method, url = '' }: IncomingMessage, served: Served): Promise<Answer> {
  const [path] = url.split('?', 1);
  const route = method === 'GET' || method === 'HEAD' ? ROUTES.get(path) : undefined;
  return route?.(served) ?? problem(404, 'no_such_route', `there is no ${method} ${path}`);
}

async function metricsAnswer({ metrics, health }: Served): Promise<Answer> {
  const body = await scrape(metrics, health);
  return { status: 200, type: METRICS_TYPE, body };
}

async function healthAnswer(health: Health, kind: HealthKind): Promise<Answer> {
  const report = await health.report(kind);
  if (report.status === 'ok') return { status: 200, type: JSON_TYPE, body: JSON.stringify(report) };
  return problemAnswer(healthProblem(kind, report));
}

const problem = (status: number, code: string, detail: string): Answer =>
  problemAnswer(problemOf(status, code, detail));

const problemAnswer = (details: ReturnType<typeof problemOf>): Answer => ({
  status: details.status,
  type: PROBLEM_JSON,
  body: JSON.stringify(details),
});
