import {
  accountKey,
  decodeDecision,
  encodeJson,
  fingerprintOf,
  GROUPS,
  REPLY_TO_HEADER,
  TOPICS,
  type LedgerRequest,
} from '#libs/contracts';
import { unavailable, type Answer } from '#libs/http';
import type { Consumer, MessageBus, OutgoingMessage, ReceivedMessage } from '#libs/message-bus';
import type { Health, Logger, Metrics } from '#libs/platform';
import { randomUUID } from 'node:crypto';
import { acceptedAnswer, decisionAnswer, RETRY_AFTER_SECONDS, unknownAnswer } from './answers.js';
import { createWaitingRoom, type Party, type WaitingRoom } from './waiting-room.js';

export interface GatewayPorts {
  readonly bus: MessageBus;
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

export interface Gateway {
  /**
   * Makes the requests durable in one publish, waits for their decisions and answers each. Throws a
   * 503 problem when too many are in flight; nothing was sent then.
   */
  decide(requests: readonly LedgerRequest[], wait_seconds: number): Promise<Answer[]>;
  /** Makes the requests durable and waits for nothing. Throws a 503 problem when they may not be. */
  accept(requests: readonly LedgerRequest[]): Promise<void>;
  /** Answers everyone who waits with what is known. What comes later is accepted, not waited for. */
  onModuleDestroy(): void;
  onApplicationShutdown(): Promise<void>;
}

/** Opens the way from HTTP to the message bus and back. Keeps nothing but who is waiting. */
export async function openGateway(
  ports: GatewayPorts,
  limits: GatewayLimits = GATEWAY_LIMITS,
): Promise<Gateway> {
  const { bus, health, metrics } = ports;
  const instance = randomUUID();
  const room = createWaitingRoom();
  const tail = await tailDecisions(instance, room, ports);
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

  const publish = (messages: OutgoingMessage[]): Promise<boolean> =>
    publishWithin(limits.publish_timeout_ms, messages, ports);

  async function decide(requests: readonly LedgerRequest[], wait_seconds: number) {
    if (requests.length === 0) return [];
    const deadline = performance.now() + wait_seconds * 1_000;
    const awaited = requests.map((request) => ({ request, fingerprint: fingerprintOf(request) }));
    const party = room.enter(
      wait_seconds === 0
        ? []
        : awaited.map(({ request, fingerprint }) => ({ ...request, fingerprint })),
    );
    try {
      const published = publish(requests.map((request) => messageOf(request, instance)));
      // A decision proves that its request is durable, whatever the publish will say.
      await Promise.race([published, party.settled]);
      const durable = allDecided(party) || (await published);
      if (durable) await settledBefore(deadline, party);
      return awaited.map(({ request, fingerprint }, index) => {
        const decision = party.decisions[index];
        if (decision) return decisionAnswer(decision);
        return durable ? acceptedAnswer(request, fingerprint) : unknownAnswer(request.request_id);
      });
    } finally {
      party.leave();
    }
  }

  return {
    decide: (requests, wait_seconds) =>
      admitted(requests.length, () => decide(requests, wait_seconds)),
    accept: (requests) =>
      admitted(requests.length, async () => {
        if (requests.length === 0) return;
        if (await publish(requests.map((request) => messageOf(request, undefined)))) return;
        const detail = 'whether they were accepted is unknown: repeat them with the same ids';
        throw unavailable('not_known_to_be_accepted', detail, RETRY_AFTER_SECONDS);
      }),
    onModuleDestroy: () => room.close(),
    async onApplicationShutdown() {
      removeCheck();
      await tail.close();
    },
  };
}

/** Never rejects: true when every message is durable, false when any may not be. */
async function publishWithin(
  timeout_ms: number,
  messages: readonly OutgoingMessage[],
  { bus, metrics, logger }: GatewayPorts,
): Promise<boolean> {
  const topic = TOPICS.requests;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`a publish took longer than ${timeout_ms} ms`);
    timer = setTimeout(() => reject(error), timeout_ms).unref();
  });
  try {
    await Promise.race([bus.publish(topic, messages), late]);
    metrics.published_total.inc({ topic }, messages.length);
    return true;
  } catch (err) {
    metrics.publish_failures_total.inc({ topic });
    logger.error({ err, messages: messages.length }, 'a publish failed');
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(request: LedgerRequest, reply_to: string | undefined): OutgoingMessage {
  return {
    key: accountKey(request.tenant_id, request.account_id),
    value: encodeJson(request),
    ...(reply_to !== undefined && { headers: { [REPLY_TO_HEADER]: reply_to } }),
  };
}

/** Follows the decisions that answer this instance; all others are skipped unparsed. */
function tailDecisions(
  instance: string,
  room: WaitingRoom,
  { bus, logger }: GatewayPorts,
): Promise<Consumer> {
  const deliver = ({ headers, value, partition, offset }: ReceivedMessage) => {
    if (headers[REPLY_TO_HEADER] !== instance) return;
    try {
      room.deliver(decodeDecision(String(value)));
    } catch (err) {
      // One that cannot be read must not keep the others from their callers.
      logger.error({ err, partition, offset }, 'a decision cannot be read');
    }
  };
  return bus.tail(TOPICS.decisions, (messages) => messages.forEach(deliver));
}

const allDecided = ({ decisions }: Party): boolean =>
  decisions.length > 0 && decisions.every((decision) => decision !== undefined);

async function settledBefore(deadline: number, { settled }: Party): Promise<void> {
  const left_ms = deadline - performance.now();
  if (left_ms <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, left_ms)));
  await Promise.race([settled, late]);
  clearTimeout(timer);
}
