import {
  GATEWAY_LIMITS,
  GrantBody,
  GrantsController,
  Intake,
  openGateway,
  preferenceOf,
  PriceBookBody,
  PriceBookController,
  UsageBatchBody,
  UsageBody,
  UsageController,
} from '#apps/usage-gateway';
import type { AccountId } from '#libs/contracts';
import { Problem } from '#libs/http';
import { startTail } from '#libs/message-bus';
import { createHealth, createLogger, createMetrics } from '#libs/platform';
import { Writable } from 'node:stream';
import { TENANT } from '../ledger/requests.js';
import { attemptOf } from './broker.js';
import { feedOver, publisherOver } from './bus.js';
import type { GatewayBus } from './damage.js';
import { never, newProcess } from './process.js';
import type { World } from './writer-process.js';

/** A body for one of the paths. */
export interface HttpCall {
  readonly path: 'usage' | 'usage/batch' | 'grants' | 'price-book';
  /** In the path, of grants alone. */
  readonly account_id: string;
  readonly body: unknown;
  /** The header; undefined when there is none. */
  readonly prefer: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The real usage-gateway on a simulated bus, but for its web framework. */
export interface GatewayProcess {
  /** Undefined when the process dies first. */
  call(call: HttpCall): Promise<HttpAnswer | undefined>;
  /** Since when, as performance.now() has it, it answers everyone at once; undefined while it does not stop. */
  stoppedAt(): number | undefined;
  /** It stops in order. */
  stop(): Promise<void>;
  readonly kill: () => void;
}

const metrics = createMetrics();
const logger = createLogger(
  'usage-gateway',
  'error',
  new Writable({ write: (_c, _e, done) => done() }),
);
/** Small in some runs, so that callers are turned away. */
const FEW_IN_FLIGHT = 3;

/** `troubled` is told the numbers of requests that a publish may not have made durable in time. */
export async function startGateway(
  world: World,
  troubled: (attempt: number) => void,
): Promise<GatewayProcess> {
  const { director, broker, damage } = world;
  const process = newProcess(director);
  const connection = {
    broker,
    director,
    process,
    troubled: (messages: readonly { value: string | Buffer | null }[]) =>
      messages.forEach((message) => troubled(attemptOf(message))),
  };
  const { decisions } = broker;
  const bus: GatewayBus = {
    publish: publisherOver(connection),
    async tail(topic, handler) {
      await process.turn('tail');
      const from = decisions.map(({ length }) => length);
      const feed = feedOver(connection, ({ partition }) => decisions[partition]!, world.isOver);
      return startTail({ topic, from, handler, on_error: world.checker.failed }, feed);
    },
    positions: never,
  };
  const max_in_flight = director.pick(0, 3) === 0 ? FEW_IN_FLIGHT : GATEWAY_LIMITS.max_in_flight;
  const gateway = await openGateway(
    { bus: damage.gateway?.(bus) ?? bus, health: createHealth(), metrics, logger },
    { ...GATEWAY_LIMITS, max_in_flight, ...damage.limits },
  );
  const skew_ms = director.skew();
  const intake = new Intake(gateway, () => director.now() + skew_ms);
  const usage = new UsageController(intake);
  const grants = new GrantsController(intake);
  const price_book = new PriceBookController(intake);
  let stopped_at: number | undefined;

  async function answer({ path, account_id, body, prefer }: HttpCall): Promise<HttpAnswer> {
    const caller = { tenant_id: TENANT, preference: preferenceOf(prefer) };
    const reply = newReply();
    const to = reply as unknown as Parameters<UsageController['chargeUsage']>[2];
    try {
      switch (path) {
        case 'usage':
          await usage.chargeUsage(UsageBody.parse(body), caller, to);
          break;
        case 'usage/batch':
          await usage.chargeUsageBatch(UsageBatchBody.parse(body), caller, to);
          break;
        case 'grants': {
          const params = { account_id: account_id as AccountId };
          await grants.grantCredits(params, GrantBody.parse(body), caller, to);
          break;
        }
        case 'price-book':
          await price_book.publishPriceBook(PriceBookBody.parse(body), caller, to);
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const { details, headers } = error;
      return { status: details.status, headers: new Map(Object.entries(headers)), body: details };
    }
    return reply.sent();
  }

  return {
    call: (call) => Promise.race([answer(call), process.killed.then(() => undefined)]),
    stoppedAt: () => stopped_at,
    async stop() {
      stopped_at = performance.now();
      gateway.onModuleDestroy();
      await Promise.race([gateway.onApplicationShutdown(), process.killed]);
    },
    kill: process.kill,
  };
}

/** What the web framework does of an answer. */
function newReply() {
  const headers = new Map<string, string>();
  let status = 0;
  let json = '';
  const reply = {
    status(code: number) {
      status = code;
      return reply;
    },
    header(name: string, value: string) {
      headers.set(name, value);
      return reply;
    },
    headers(more: Readonly<Record<string, string>>) {
      for (const [name, value] of Object.entries(more)) headers.set(name, value);
      return reply;
    },
    serializer: () => reply,
    send(text: string) {
      json = text;
    },
    sent: (): HttpAnswer => ({ status, headers, body: JSON.parse(json) as HttpAnswer['body'] }),
  };
  return reply;
}
