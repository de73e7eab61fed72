import {
  accountKey,
  decodeDecision,
  encodeRequest,
  fingerprintOf,
  GROUPS,
  REPLY_TO_HEADER,
  TOPICS,
  type UnsentRequest,
} from '#libs/contracts';
import { unavailable } from '#libs/http';
import type { Consumer, MessageBus, OutgoingMessage, ReceivedMessage } from '#libs/message-bus';
import type { Health, Logger, Metrics } from '#libs/platform';
import { randomUUID } from 'node:crypto';
import { RETRY_AFTER_SECONDS } from './answers.js';
import {
  createPendingDecisions,
  decisionKeyOf,
  type Decided,
  type PendingDecisions,
} from './pending-decisions.js';

export interface GatewayPorts {
  readonly bus: Pick<MessageBus, 'publish' | 'tail' | 'positions'>;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface GatewayLimits {
  /** Requests that are being published or wait for their decision; one more is refused. */
  readonly max_in_flight: number;
  /** A publish that takes longer counts as failed: nobody knows whether it was made durable. */
  readonly publish_timeout_ms: number;
}

export const GATEWAY_LIMITS: GatewayLimits = { max_in_flight: 20_000, publish_timeout_ms: 30_000 };

/** What became of the requests of one call. */
export interface Settled {
  /** In the order of the requests; undefined for what is not decided. */
  readonly decided: readonly (Decided | undefined)[];
  readonly undecided: number;
  /** False when nobody knows whether those that are not decided were made durable. */
  readonly durable: boolean;
}

export interface Gateway {
  /**
   * Makes the requests durable in one publish and waits for their decisions, not at all when
   * `wait_seconds` is 0. Throws a 503 problem when too many are in flight; nothing was sent then.
   */
  settle(requests: readonly UnsentRequest[], wait_seconds: number): Promise<Settled>;
  /** Answers everyone who waits with what is known. What comes later does not wait. */
  onModuleDestroy(): void;
  onApplicationShutdown(): Promise<void>;
}

/** Connects HTTP with the message bus, there and back. Keeps no state but who is waiting. */
export async function openGateway(
  ports: GatewayPorts,
  limits: GatewayLimits = GATEWAY_LIMITS,
): Promise<Gateway> {
  const { bus, health, metrics } = ports;
  const instance = randomUUID();
  const pending = createPendingDecisions();
  const tail = await tailDecisions(instance, pending, ports);
  const removeCheck = health.add('readiness', 'message_bus', async () => {
    await bus.positions(GROUPS.writer, [TOPICS.requests]);
    return undefined;
  });
  let in_flight = 0;

  /** Runs while these many requests count as in flight. */
  async function admitted<T>(count: number, work: () => Promise<T>): Promise<T> {
    if (in_flight + count > limits.max_in_flight) {
      const detail = 'too many requests are in flight; nothing was accepted';
      throw unavailable('too_many_in_flight', detail, RETRY_AFTER_SECONDS);
    }
    in_flight += count;
    metrics.in_flight.inc(count);
    try {
      return await work();
    } finally {
      in_flight -= count;
      metrics.in_flight.dec(count);
    }
  }

  /** Makes the requests durable; nobody is answered. */
  async function accept(requests: readonly UnsentRequest[]): Promise<Settled> {
    const messages = requests.map((request) => messageOf(request, undefined));
    const durable = await publishWithin(limits.publish_timeout_ms, messages, ports);
    return { decided: requests.map(() => undefined), undecided: requests.length, durable };
  }

  async function decide(requests: readonly UnsentRequest[], wait_ms: number): Promise<Settled> {
    const deadline = performance.now() + wait_ms;
    const keys = requests.map((request) => decisionKeyOf(request, fingerprintOf(request)));
    const call = pending.add(keys);
    try {
      const messages = requests.map((request) => messageOf(request, instance));
      const published = publishWithin(limits.publish_timeout_ms, messages, ports);
      // A decision proves that its request is durable, whatever the publish will say.
      await Promise.race([published, call.settled]);
      const durable = call.undecided === 0 || (await published);
      if (durable) await settledBefore(deadline, call.settled);
      return { decided: call.decided, undecided: call.undecided, durable };
    } finally {
      call.remove();
    }
  }

  return {
    async settle(requests, wait_seconds) {
      if (requests.length === 0) return NOTHING;
      return admitted(requests.length, () =>
        wait_seconds === 0 ? accept(requests) : decide(requests, wait_seconds * 1_000),
      );
    },
    onModuleDestroy: () => pending.close(),
    async onApplicationShutdown() {
      removeCheck();
      await tail.close();
    },
  };
}

const NOTHING: Settled = { decided: [], undecided: 0, durable: true };

/** Never rejects: true when every message is durable, false when any may not be. */
function publishWithin(
  timeout_ms: number,
  messages: readonly OutgoingMessage[],
  { bus, metrics, logger }: GatewayPorts,
): Promise<boolean> {
  const topic = TOPICS.requests;
  return new Promise((resolve) => {
    let over = false;
    const end = (err?: unknown) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      if (err === undefined) {
        metrics.published_total.inc({ topic }, messages.length);
      } else {
        metrics.publish_failures_total.inc({ topic });
        logger.error({ err, messages: messages.length }, 'a publish failed');
      }
      resolve(err === undefined);
    };
    const late = () => end(new Error(`a publish took longer than ${timeout_ms} ms`));
    const timer = setTimeout(late, timeout_ms).unref();
    bus.publish(topic, messages).then(() => end(), end);
  });
}

function messageOf(request: UnsentRequest, reply_to: string | undefined): OutgoingMessage {
  return {
    key: accountKey(request.tenant_id, request.account_id),
    value: encodeRequest(request),
    ...(reply_to !== undefined && { headers: { [REPLY_TO_HEADER]: reply_to } }),
  };
}

/** Follows the decisions that answer this instance; all others are skipped unparsed. */
function tailDecisions(
  instance: string,
  pending: PendingDecisions,
  { bus, logger }: GatewayPorts,
): Promise<Consumer> {
  const deliver = ({ headers, value, partition, offset }: ReceivedMessage) => {
    if (headers[REPLY_TO_HEADER] !== instance) return;
    try {
      const json = String(value);
      pending.deliver({ decision: decodeDecision(json), json });
    } catch (err) {
      // One that cannot be read must not keep the others from their callers.
      logger.error({ err, partition, offset }, 'a decision cannot be read');
    }
  };
  return bus.tail(TOPICS.decisions, (messages) => messages.forEach(deliver));
}

async function settledBefore(deadline: number, settled: Promise<void>): Promise<void> {
  const left_ms = deadline - performance.now();
  if (left_ms <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, left_ms)));
  await Promise.race([settled, late]);
  clearTimeout(timer);
}
