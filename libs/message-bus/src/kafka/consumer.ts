import { backoffMs, SHUTDOWN_MS, within } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type EachBatchPayload, type Kafka } from 'kafkajs';
import type { Consumer } from '../port.js';
import { togetherAssigner } from './assigner.js';
import { isFetchedBy, type GroupHooks } from './client-patches.js';
import { METADATA_MAX_AGE_MS, RETRY } from './connection.js';
import { fatalCause, Superseded } from './errors.js';
import { createGroupMember, type GroupMemberSettings } from './group-member.js';
import { receivedMessages } from './received.js';
import { watchSilence } from './silence.js';

export interface ConsumerSettings extends GroupMemberSettings {
  readonly partitions: number;
  /** A close gives up the batch in hand after this long, and leaving the group after as long again. */
  readonly close_timeout_ms: number;
  /** Told what no restart can mend; the consumer has ended. */
  readonly on_fatal: (error: Error) => void;
}

// The shortest poll that still lets a close, a join and a heartbeat through quickly.
const MAX_WAIT_MS = 100;
const MAX_BYTES = 4_000_000;
const MAX_BYTES_PER_PARTITION = 1_048_576;
/** What only the group's coordinator is asked. */
const COORDINATORS = new Set([
  'Heartbeat',
  'JoinGroup',
  'SyncGroup',
  'OffsetCommit',
  'OffsetFetch',
]);
/** A partition that does not drain for so long is paused, so that it does not hold up the others. */
const PATIENCE_MS = 500;
const DROPPED_PAUSE_MS = 50;
/** How often it is told that nobody leads a partition. */
const LEADERLESS_REPORT_MS = 10_000;
/**
 * Both parts of a close that hangs take half of a shutdown: what is closed after it, such as the event
 * store's and the database's connections, still gets its turn. What is given up is delivered again.
 */
export const CLOSE_TIMEOUT_MS = SHUTDOWN_MS / 4;

/**
 * Begins to join a group; rejects when no broker can be reached. What is wrong with the joining itself
 * goes to on_failure, and to on_fatal when it will not get better.
 */
export async function startConsumer(client: Kafka, settings: ConsumerSettings): Promise<Consumer> {
  const { group, topics, max_batch, partitions, retry, session_timeout_ms } = settings;
  // Time to hand over, and to notice it and to find the coordinator while a broker hangs. Whoever is
  // dead costs no more than its session whatever this is, so there is no need to be sparing.
  const rebalance_timeout_ms = session_timeout_ms + settings.hand_over_ms;
  /** While it joins, a broker answers only when the others have joined too. */
  const patience_ms = rebalance_timeout_ms + session_timeout_ms;
  /** In force now; those before it may still be about to end. */
  let consumer: kafkajs.Consumer | undefined;
  /** Until it has joined for the first time. */
  let running: Promise<void> | undefined;
  let stopWatching = () => {};
  let crashes = 0;
  let leaderless_from = 0;
  let closing = false;
  const member = createGroupMember(settings, (held) => {
    // A pause outlives a rebalance; whoever fills up again is paused again.
    consumer?.resume([...held.partitions.keys()].map((topic) => ({ topic })));
  });

  const report = (error: unknown, attempt: number) => {
    try {
      settings.on_failure?.(error, attempt);
    } catch (thrown) {
      process.emitWarning(`on_failure threw ${String(thrown)}`);
    }
  };

  /** Hands over to the lanes and asks for more; no handler's error ever reaches kafkajs. */
  const eachBatch = async (payload: EachBatchPayload): Promise<void> => {
    const { batch } = payload;
    const { topic, partition } = batch;
    const membership = member.membership();
    if (closing || membership === undefined || !isFetchedBy(batch, membership)) {
      await sleep(DROPPED_PAUSE_MS); // what is not resolved is fetched again at once
      return;
    }
    member.buffers.add(topic, partition, receivedMessages(batch), Number(batch.lastOffset()) + 1);
    payload.resolveOffset(batch.lastOffset());
    const most = Math.ceil(max_batch / 2);
    if (await member.buffers.below(topic, partition, most, PATIENCE_MS)) return;
    if (member.membership() !== membership) return;
    const paused = [{ topic, partitions: [partition] }];
    consumer?.pause(paused);
    void member.buffers.below(topic, partition, most, 2 ** 31 - 1).then(() => {
      if (member.membership() === membership) consumer?.resume(paused);
    });
  };

  const hooksOf = (isInForce: () => boolean): GroupHooks => ({
    async beforeJoin(held) {
      const requireInForce = () => {
        if (!isInForce()) throw new Superseded('another connection is in its place');
      };
      requireInForce();
      await member.hooks.beforeJoin(held);
      requireInForce(); // handing over takes its time
    },
    leaderless(names) {
      const now = performance.now();
      if (now < leaderless_from) return;
      leaderless_from = now + LEADERLESS_REPORT_MS;
      report(new Error(`nobody leads ${names.join(', ')}`), 1);
    },
    async joined(membership) {
      if (isInForce() && !closing) return member.hooks.joined(membership);
      await membership.leave().catch(() => undefined);
      throw new Superseded('nobody needs its partitions any more');
    },
  });

  const incarnate = (): kafkajs.Consumer => {
    const isInForce = () => consumer === incarnation;
    const incarnation = client.consumer({
      groupId: group,
      partitionAssigners: [
        togetherAssigner({ partitions, hooks: hooksOf(isInForce), held: member.preferred }),
      ],
      sessionTimeout: session_timeout_ms,
      rebalanceTimeout: rebalance_timeout_ms,
      heartbeatInterval: Math.ceil(session_timeout_ms / 10),
      maxWaitTimeInMs: MAX_WAIT_MS,
      minBytes: 1,
      maxBytes: MAX_BYTES,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      readUncommitted: false,
      // Restarts are made here, all in one way.
      retry: { ...RETRY, restartOnFailure: async () => false },
    });
    incarnation.on('consumer.heartbeat', () => {
      if (!isInForce()) return;
      crashes = 0;
      member.heard();
    });
    // A crash is told only when its connections are closed, which may wait for a broker that is silent:
    // by then the group has been left, and kafkajs takes no word of its partitions any more.
    incarnation.on('consumer.stop', () => {
      if (isInForce()) member.lose();
    });
    incarnation.on('consumer.crash', ({ payload }) => crashed(incarnation, payload.error));
    consumer = incarnation;
    return incarnation;
  };

  const start = async (incarnation: kafkajs.Consumer) => {
    await within(patience_ms, incarnation.connect(), 'reaching a broker');
    await within(
      patience_ms,
      incarnation.subscribe({ topics: [...topics], fromBeginning: true }),
      'asking for the topics',
    );
    if (closing) throw new Superseded('closed while it connected');
    superviseAnswers(incarnation);
    running = incarnation
      .run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: partitions * topics.length,
        eachBatch,
      })
      .catch((error: Error) => crashed(incarnation, error));
  };

  /**
   * kafkajs repeats requests on a dead connection for minutes: here a silence ends it (hazard 14). What
   * another broker than the coordinator does not answer is told, and ends no membership (hazard 16).
   */
  const superviseAnswers = (incarnation: kafkajs.Consumer) => {
    const watch = watchSilence(
      session_timeout_ms,
      () => (member.membership() === undefined ? patience_ms : session_timeout_ms),
      (ms) => crashed(incarnation, new Error(`no broker has answered for ${ms} ms`)),
    );
    stopWatching = watch.stop;
    incarnation.on('consumer.network.request', watch.heard);
    incarnation.on('consumer.network.request_timeout', ({ payload: { apiName, broker } }) => {
      if (consumer !== incarnation) return;
      const error = new Error(`${broker} has not answered ${apiName}`);
      // A join that has no word of the topics is not repeated by kafkajs before the group casts it out.
      const joins_not = member.membership() === undefined && apiName === 'Metadata';
      if (COORDINATORS.has(apiName) || joins_not) crashed(incarnation, error);
      else report(error, 1);
    });
  };

  const crashed = (incarnation: kafkajs.Consumer, error: Error) => {
    if (consumer !== incarnation) return; // its end was noticed before, in another way
    consumer = undefined;
    stopWatching();
    member.lose();
    void incarnation.disconnect().catch(() => undefined);
    if (closing) return;
    const fatal = fatalCause(error);
    report(fatal ?? error, ++crashes);
    if (fatal === undefined) return void restart();
    void close();
    settings.on_fatal(fatal);
  };

  const restart = async () => {
    await sleep(backoffMs(retry, crashes));
    if (closing) return;
    const next = incarnate();
    await start(next).catch((error: Error) => crashed(next, error));
  };

  const close = async () => {
    closing = true;
    const limited = (work: Promise<void>, what: string) =>
      within(settings.close_timeout_ms, work, what).catch((error) => report(error, 1));
    await limited(member.close(), 'the batch in hand');
    member.lose();
    await limited(leave(), 'leaving');
    stopWatching();
  };

  /** Cut off while it joins, it would leave a member behind that answers nobody (hazard 15). */
  const leave = async () => {
    const incarnation = consumer;
    if (incarnation === undefined) return;
    await running;
    await incarnation.disconnect();
  };

  const first = incarnate();
  try {
    await start(first);
  } catch (error) {
    await close();
    throw error;
  }
  return { assigned: member.assigned, close };
}
