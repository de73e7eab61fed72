import { Module, type DynamicModule, type ForwardReference, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { nestLogger, type ApiKey, type Health, type Logger, type Metrics } from '#libs/platform';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { admitCallers } from './admission.js';
import { jsonText, problemAnswer, sendAnswer } from './answer.js';
import { HEALTH, HealthController, METRICS } from './health.controller.js';
import { takeJsonOnly } from './json-body.js';
import { serveApiDocs, type ApiDescription } from './open-api.js';
import { problemDetails } from './problem.js';
import { ProblemFilter } from './problem-filter.js';
import { refuseUnreadable, refuseViolations } from './protocol-errors.js';
import { SchemaPipe } from './schema-pipe.js';

interface HttpAppOptions {
  readonly modules: readonly (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[];
  readonly api: ApiDescription;
  readonly keys: readonly ApiKey[];
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/**
 * Largest body, in bytes: 4 kB for each of 1,000 requests, of which most have some hundred bytes. With
 * every field at its limit they would be several times as large: those go in smaller batches.
 */
export const BODY_LIMIT = 4 * 1024 * 1024;
/** An id has at most 128 characters, each of which may be percent-encoded. */
const MAX_PARAM_LENGTH = 3 * 128;
/** A caller must have sent its whole request within this time. */
const REQUEST_TIMEOUT_MS = 30_000;
/** So often it is looked who is late: the time above is kept to within this one. */
const CHECK_INTERVAL_MS = 1_000;
/** Longer than the idle time of usual load balancers, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

@Module({})
class HttpRoot {}

/**
 * A Nest application on Fastify, initialised but not listening: these modules, /healthz, /readyz,
 * /metrics, /docs and /openapi.json; keys checked, input validated, every error problem details.
 */
export async function createHttpApp(options: HttpAppOptions): Promise<NestFastifyApplication> {
  const { modules, api, keys, health, metrics, logger } = options;
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node reads these only as the server is made: Fastify sets the timeout above afterwards.
    http: {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // `refuseViolations` asks for it: Node would answer with an empty body.
      requireHostHeader: false,
    },
    clientErrorHandler: refuseUnreadable(logger, REQUEST_TIMEOUT_MS),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // What arrives on open connections while closing is served, not answered in another form.
    return503OnClosing: false,
    frameworkErrors: refuseUrl,
    forceCloseConnections: 'idle',
  });
  const root: DynamicModule = {
    module: HttpRoot,
    imports: [...modules],
    controllers: [HealthController],
    providers: [
      { provide: HEALTH, useValue: health },
      { provide: METRICS, useValue: metrics },
    ],
  };
  const app = await NestFactory.create<NestFastifyApplication>(root, adapter, {
    logger: nestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  refuseViolations(fastify);
  takeJsonOnly(fastify);
  fastify.setReplySerializer(jsonText);
  measure(fastify, metrics);
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalGuards(admitCallers(fastify, keys));
  app.useGlobalPipes(new SchemaPipe());
  serveApiDocs(app, api);
  await app.init();
  return app;
}

/** A URL that the router cannot read reaches no filter and no hook. */
function refuseUrl(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 400;
  const code = status === 414 ? 'uri_too_long' : 'bad_url';
  sendAnswer(reply, problemAnswer(problemDetails(status, code, error.message)));
}

function measure(fastify: FastifyInstance, metrics: Metrics): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    // The pattern of the route, never the URL: one series per account would be too many.
    const labels = { method, route: routeOptions.url ?? 'none', status: reply.statusCode };
    metrics.http_request_duration_seconds.observe(labels, reply.elapsedTime / 1_000);
    done();
  });
}
