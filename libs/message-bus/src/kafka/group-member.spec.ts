import { instantOf } from '#libs/contracts';
import type { OffsetsByTopicPartition } from 'kafkajs';
import { until } from '../../contract-bench.js';
import { OwnershipLost, type BatchControl, type ReceivedMessage } from '../port.js';
import type { Membership } from './client-patches.js';
import { createGroupMember, type GroupMemberSettings } from './group-member.js';

const protocolError = (type: string) => Object.assign(new Error(type), { type });

/** A membership of partitions 0 … of one topic, and what was committed under it. */
function membershipOf(...partitions: readonly number[]) {
  const commits: Record<string, string>[] = [];
  const heartbeats: number[] = [];
  let commit_error: Error | undefined;
  let heartbeat_error: Error | undefined;
  const membership: Membership = {
    partitions: new Map([['t', partitions]]),
    async heartbeat() {
      heartbeats.push(performance.now());
      if (heartbeat_error) throw heartbeat_error;
    },
    async leave() {},
    async commit({ topics }: OffsetsByTopicPartition) {
      if (commit_error) throw commit_error;
      for (const topic of topics)
        commits.push(Object.fromEntries(topic.partitions.map((p) => [p.partition, p.offset])));
    },
  };
  return {
    membership,
    commits,
    heartbeats,
    refuseCommits: (error: Error | undefined) => (commit_error = error),
    refuseHeartbeats: (error: Error) => (heartbeat_error = error),
  };
}

const message = (partition: number, offset: number): ReceivedMessage => ({
  topic: 't',
  partition,
  offset,
  timestamp: instantOf(0),
  key: 'k',
  value: 'v',
  headers: {},
});

let end: () => Promise<void>;
afterEach(() => end());

/** A member whose handler holds each batch until it is told to finish it. */
function memberWith(settings: Partial<GroupMemberSettings> = {}) {
  const batches: { messages: readonly ReceivedMessage[]; control: BatchControl }[] = [];
  const failures: unknown[] = [];
  let finish = () => {};
  const member = createGroupMember(
    {
      group: 'g',
      topics: ['t'],
      max_batch: 100,
      retry: { min_ms: 1, max_ms: 5 },
      lanes: 1,
      commit_interval_ms: 0,
      session_timeout_ms: 1_000,
      hand_over_ms: 1_000,
      on_failure: (error) => failures.push(error),
      handler: async (messages, control) => {
        batches.push({ messages, control });
        await new Promise<void>((resolve) => (finish = resolve));
      },
      ...settings,
    },
    () => {},
  );
  end = async () => {
    member.lose();
    const closing = member.close();
    finish();
    await closing;
  };
  return { member, batches, failures, finish: () => finish() };
}

it('client hazard 7: commits offset + 1 of what was handled, and nothing more', async () => {
  const { member, batches, finish } = memberWith();
  const held = membershipOf(0, 1);
  member.hooks.joined(held.membership);
  member.buffers.add('t', 0, [message(0, 5), message(0, 6)], 7);
  await until(() => batches.length === 1);
  member.buffers.add('t', 1, [message(1, 40)], 41);
  expect(held.commits).toEqual([]);
  finish();
  await until(() => held.commits.length === 1);
  expect(held.commits).toEqual([{ 0: '7' }]);
});

it('commits what is no message only when all that came before it was handled', async () => {
  const { member, batches, finish } = memberWith();
  const held = membershipOf(0);
  member.hooks.joined(held.membership);
  member.buffers.add('t', 0, [message(0, 5)], 7); // a marker at 6
  await until(() => batches.length === 1);
  member.buffers.add('t', 0, [], 9); // two more
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(held.commits).toEqual([]);
  finish();
  await until(() => held.commits.length > 0 && held.commits.at(-1)?.[0] === '9');
  expect(batches).toHaveLength(1); // no handler is called with nothing
});

it('client hazard 6: before it joins again it finishes and commits the batch in hand', async () => {
  const { member, batches, finish } = memberWith();
  const held = membershipOf(0);
  member.hooks.joined(held.membership);
  member.buffers.add('t', 0, [message(0, 5)], 6);
  await until(() => batches.length === 1);
  let ready = false;
  held.refuseHeartbeats(protocolError('REBALANCE_IN_PROGRESS'));
  const joining = member.hooks.beforeJoin(held.membership).then(() => (ready = true));
  await until(() => held.heartbeats.length > 1); // the others wait for it, as long as it is alive
  expect(ready).toBe(false);
  expect(batches[0]!.control.signal.aborted).toBe(false);
  finish();
  await joining;
  expect(held.commits).toEqual([{ 0: '6' }]);
  expect(member.assigned()).toEqual([]);
  expect(member.preferred()).toEqual([0]);
});

it('does not let the others wait for ever', async () => {
  const { member, batches } = memberWith({ hand_over_ms: 30, session_timeout_ms: 50 });
  const held = membershipOf(0);
  member.hooks.joined(held.membership);
  member.buffers.add('t', 0, [message(0, 5)], 6);
  await until(() => batches.length === 1);
  await member.hooks.beforeJoin(held.membership);
  expect(batches[0]!.control.signal.aborted).toBe(true);
  await expect(batches[0]!.control.heartbeat()).rejects.toBeInstanceOf(OwnershipLost);
});

describe('a zombie, by generation', () => {
  it('client hazard 7, F5: never commits into a later generation what another holds now', async () => {
    const { member, batches, finish } = memberWith();
    const old = membershipOf(0, 1);
    member.hooks.joined(old.membership);
    member.buffers.add('t', 0, [message(0, 5)], 6);
    await until(() => batches.length === 1);
    // The commit of the first batch fails for now, and a later generation comes first.
    old.refuseCommits(protocolError('REBALANCE_IN_PROGRESS'));
    finish();
    const later = membershipOf(1);
    member.hooks.joined(later.membership);
    member.buffers.add('t', 1, [message(1, 8)], 9);
    await until(() => batches.length === 2);
    finish();
    await until(() => later.commits.length === 1);
    expect(later.commits).toEqual([{ 1: '9' }]);
    expect(old.commits).toEqual([]);
  });

  it.each(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID'])(
    'gives everything up when its commit is answered %s',
    async (type) => {
      const { member, batches, finish } = memberWith();
      const held = membershipOf(0, 1);
      member.hooks.joined(held.membership);
      member.buffers.add('t', 0, [message(0, 5)], 6);
      await until(() => batches.length === 1);
      held.refuseCommits(protocolError(type));
      finish();
      await until(() => member.assigned().length === 0);
      member.buffers.add('t', 1, [message(1, 8)], 9);
      expect(batches).toHaveLength(1);
    },
  );

  it('keeps a later membership when a commit under an earlier one is answered late', async () => {
    const { member, batches, finish } = memberWith();
    let refuse = (_error: Error) => {};
    let is_asked = false;
    const commit = () => {
      is_asked = true;
      return new Promise<void>((_resolve, reject) => (refuse = reject));
    };
    member.hooks.joined({ ...membershipOf(0).membership, commit });
    member.buffers.add('t', 0, [message(0, 5)], 6);
    await until(() => batches.length === 1);
    finish();
    await until(() => is_asked);
    const later = membershipOf(0);
    member.hooks.joined(later.membership);
    refuse(protocolError('ILLEGAL_GENERATION'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(member.membership()).toBe(later.membership);
    member.buffers.add('t', 0, [message(0, 5)], 6);
    await until(() => batches.length === 2);
    finish();
    await until(() => later.commits.length === 1);
  });

  it('keeps a later membership when a heartbeat of an earlier one is answered late', async () => {
    const { member, batches } = memberWith({ session_timeout_ms: 10 });
    let refuse = (_error: Error) => {};
    const heartbeat = () => new Promise<void>((_resolve, reject) => (refuse = reject));
    member.hooks.joined({ ...membershipOf(0).membership, heartbeat });
    member.buffers.add('t', 0, [message(0, 5)], 6);
    await until(() => batches.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const asking = batches[0]!.control.heartbeat();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const later = membershipOf(0);
    member.hooks.joined(later.membership);
    refuse(protocolError('UNKNOWN_MEMBER_ID'));
    await expect(asking).rejects.toBeInstanceOf(OwnershipLost);
    expect(member.membership()).toBe(later.membership);
  });

  it('F28: asks the broker after a long silence, and stops when it is unknown there', async () => {
    const { member, batches } = memberWith({ session_timeout_ms: 40 });
    const held = membershipOf(0);
    member.hooks.joined(held.membership);
    member.buffers.add('t', 0, [message(0, 5)], 6);
    await until(() => batches.length === 1);
    await batches[0]!.control.heartbeat(); // just heard of: nothing is asked
    expect(held.heartbeats).toHaveLength(0);

    const until_ms = performance.now() + 30;
    while (performance.now() < until_ms); // the event loop stands still
    await batches[0]!.control.heartbeat();
    expect(held.heartbeats).toHaveLength(1);

    held.refuseHeartbeats(protocolError('UNKNOWN_MEMBER_ID'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    await expect(batches[0]!.control.heartbeat()).rejects.toBeInstanceOf(OwnershipLost);
    expect(batches[0]!.control.signal.aborted).toBe(true);
  });
});
