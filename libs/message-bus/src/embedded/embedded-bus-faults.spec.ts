import { randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPool, startEmbeddedPostgres } from '#libs/platform';
import { jest } from '@jest/globals';
import { freshDatabase, whileLocked, type TestDatabase } from '../../../../test/postgres.js';
import { committedSum, message, numbered, scanned, until } from '../../contract-bench.js';
import type { MessageBus, ReceivedMessage } from '../port.js';
import { PublishTimeout } from '../admission.js';
import { embeddedMessageBus, type EmbeddedBusOptions } from './embedded-bus.js';

jest.setTimeout(60_000);

const retry = { min_ms: 10, max_ms: 50 };
const topics = ['t'];
let database: TestDatabase;
let buses: MessageBus[];

beforeEach(async () => {
  database = await freshDatabase();
  buses = [];
});
afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.close()));
  await database.drop();
});

async function open(options: Partial<EmbeddedBusOptions> = {}): Promise<MessageBus> {
  const defaults = { topics, partitions: 4, retry, on_error: () => {} };
  const bus = await embeddedMessageBus(database.pool, { ...defaults, ...options });
  buses.push(bus);
  return bus;
}

/** Runs the work while no append can be written. */
const whileBlocked = (work: () => Promise<void>) =>
  whileLocked(database.pool, 'bus.partition', 'exclusive', work);

it('refuses another number of partitions than its topics were made with', async () => {
  await open({ partitions: 4 });
  await expect(open({ partitions: 8 })).rejects.toThrow('t has 4 partitions, not 8');
  await open({ partitions: 4, topics: ['t', 'u'] });
});

it('takes no number for topics and groups that are there already', async () => {
  for (let opened = 0; opened < 3; opened += 1) {
    const bus = await open({ topics: ['t', 'u'] });
    await bus.consume({ group: 'g', topics: ['t'], max_batch: 10, handler: async () => {} });
  }
  const { rows } = await database.pool.query(
    `select (select last_value from bus.topic_id_seq) as topic,
            (select last_value from bus.consumer_group_id_seq) as consumer_group`,
  );
  expect(rows).toEqual([{ topic: 2n, consumer_group: 1n }]);
});

it('opens again when starts of former versions have used up all numbers', async () => {
  await open();
  await database.pool.query(`
    delete from bus.migration where number > 0;
    select setval('bus.topic_id_seq', 32767)`);
  const bus = await open({ topics: ['t', 'u'] });
  await expect(bus.publish('u', [message('k', 'v')])).resolves.toBeUndefined();
});

it('stamps no message with a time long ahead that the clock had once', async () => {
  const bus = await open({ partitions: 1 });
  await database.pool.query(`update bus.partition set last_at = now() + interval '1 year'`);
  await bus.publish('t', [message('k', 'v')]);
  const [{ timestamp } = { timestamp: '' }] = await scanned(bus, 't');
  expect(Date.parse(timestamp)).toBeLessThan(Date.now() + 60_000);
});

it('refuses the commit of a member whose partition another has taken without its knowledge', async () => {
  const bus = await open({ partitions: 1, commit_interval_ms: 10 });
  await bus.publish('t', [message('k', 'v')]);
  const offsets: number[] = [];
  let finish = () => {};
  const handler = async (messages: readonly ReceivedMessage[]) => {
    offsets.push(...messages.map(({ offset }) => offset));
    if (offsets.length === 1) await new Promise<void>((resolve) => (finish = resolve));
  };
  await bus.consume({ group: 'g', topics, max_batch: 10, handler });
  await until(() => offsets.length === 1);
  await database.pool.query('update bus.consumer_offset set epoch = epoch + 1');
  finish();
  await until(() => offsets.length === 2);
  expect(offsets).toEqual([0, 0]);
  await until(async () => (await committedSum(bus, 'g', 't')) === 1);
});

it('F24: acknowledges nothing while the disk is full, says so, and writes it when there is room', async () => {
  const errors: string[] = [];
  const bus = await open({ partitions: 1, on_error: (error) => errors.push(String(error)) });
  await database.pool.query(`
    create function bus.full() returns trigger language plpgsql as $$
    begin raise exception 'No space left on device' using errcode = 'disk_full'; end $$;
    create trigger full_disk before insert on bus.batch for each row execute function bus.full()`);
  let acknowledged = false;
  const published = bus.publish('t', numbered('k', 3)).then(() => (acknowledged = true));
  await until(() => errors.length >= 2);
  expect(errors[0]).toContain('No space left on device');
  expect(acknowledged).toBe(false);
  await database.pool.query('drop trigger full_disk on bus.batch');
  await published;
  expect(await scanned(bus, 't')).toHaveLength(3);
});

it('F14: stops where the log has lost its end, and says so', async () => {
  const errors: string[] = [];
  const bus = await open({ partitions: 1, on_error: (error) => errors.push(String(error)) });
  await bus.publish('t', numbered('k', 3));
  let got = 0;
  const handler = async (messages: readonly ReceivedMessage[]) => {
    got += messages.length;
  };
  const options = { group: 'g', topics, max_batch: 10, handler };
  const first = await bus.consume(options);
  await until(() => got === 3);
  await first.close();
  await database.pool.query('update bus.partition set next_offset = 2');
  await bus.consume(options);
  await until(() => errors.some((error) => error.includes('t/0 ends before 3')));
  expect(got).toBe(3);
});

it('F23: publishers and consumers go on when every connection is cut again and again', async () => {
  const pool = createPool(database.url, { application_name: 'victim', max_connections: 8 });
  const bus = await embeddedMessageBus(pool, { topics, partitions: 4, retry, on_error: () => {} });
  const got = new Set<string>();
  const handler = async (messages: readonly ReceivedMessage[]) => {
    for (const { value } of messages) got.add(String(value));
  };
  await bus.consume({ group: 'g', topics, max_batch: 10, handler });
  const tailed = new Set<string>();
  await bus.tail('t', (messages) => messages.forEach(({ value }) => tailed.add(String(value))));

  const sent = Array.from({ length: 300 }, (_, n) => message(`key${n % 7}`, `${n}`));
  const publishing = (async () => {
    for (const one of sent) await bus.publish('t', [one]);
  })();
  for (let n = 0; n < 5; n++) {
    await sleep(50);
    await database.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'",
    );
  }
  await publishing;
  await until(() => got.size === 300 && tailed.size === 300);
  const stored = (await scanned(bus, 't')).map(({ value }) => value);
  expect(new Set(stored).size).toBe(300);
  await bus.close();
  await pool.end();
});

it('F23: no acknowledged message is lost when the server is killed', async () => {
  const data_dir = join(tmpdir(), `usage-ledger-test-${randomUUID()}`);
  const postgres = await startEmbeddedPostgres({ data_dir, access: 'own', fsync: true });
  const pool = createPool(postgres.url, { application_name: 'test', max_connections: 8 });
  const bus = await embeddedMessageBus(pool, { topics, partitions: 4, retry, on_error: () => {} });
  const got = new Set<string>();
  const handler = async (messages: readonly ReceivedMessage[]) => {
    for (const { value } of messages) got.add(String(value));
  };
  await bus.consume({ group: 'g', topics, max_batch: 10, handler });
  const acknowledged: string[] = [];
  const publish = async (name: string) => {
    for (let n = 0; n < 50; n++) {
      await bus.publish('t', [message(name, `${name}-${n}`)]);
      acknowledged.push(`${name}-${n}`);
    }
  };
  const publishing = Promise.all(['a', 'b', 'c', 'd'].map(publish));
  await until(() => acknowledged.length > 20);
  const pid_file = await readFile(join(data_dir, 'postgres/postmaster.pid'), 'utf8');
  process.kill(Number(pid_file.split('\n')[0]), 'SIGKILL');
  await publishing;
  await until(() => got.size === 200);
  const stored = new Set((await scanned(bus, 't')).map(({ value }) => value));
  expect(acknowledged.filter((value) => !stored.has(value))).toEqual([]);
  await bus.close();
  await pool.end();
  await postgres.stop();
  await rm(data_dir, { recursive: true });
});

describe('while Postgres takes nothing', () => {
  it('a publish waits for room, and all are written in order when it goes on', async () => {
    const bus = await open({ partitions: 1, max_queued_messages: 10 });
    let settled = 0;
    const calls: Promise<unknown>[] = [];
    await whileBlocked(async () => {
      for (let n = 0; n < 50; n++) {
        calls.push(bus.publish('t', [message('k', `k-${n}`)]).then(() => settled++));
      }
      await sleep(100);
      expect(settled).toBe(0);
    });
    await Promise.all(calls);
    const values = (await scanned(bus, 't')).map(({ value }) => value);
    expect(values).toEqual(numbered('k', 50).map(({ value }) => value));
  });

  it('a publish that finds no room in time rejects', async () => {
    const bus = await open({ max_queued_messages: 1, publish_timeout_ms: 50 });
    await whileBlocked(async () => {
      const first = bus.publish('t', [message('k', 'first')]);
      await expect(bus.publish('t', [message('k', 'v')])).rejects.toBeInstanceOf(PublishTimeout);
      first.catch(() => {});
    });
  });
});

it('uses the pool no more once it is closed, even right after a publish', async () => {
  const errors: unknown[] = [];
  for (let time = 0; time < 5; time += 1) {
    const pool = createPool(database.url, { application_name: 'closing', max_connections: 4 });
    const on_error = (error: unknown) => errors.push(error);
    const bus = await embeddedMessageBus(pool, { topics, partitions: 4, retry, on_error });
    await bus.publish('t', [message('k', 'v')]);
    await bus.close();
    await pool.end();
  }
  await sleep(50);
  expect(errors).toEqual([]);
});

it('lanes: calls overlap over different partitions, and each keeps its order', async () => {
  const bus = await open({ partitions: 4, lanes: 2 });
  const running = new Set<readonly ReceivedMessage[]>();
  const got: ReceivedMessage[] = [];
  let overlapped = false;
  const handler = async (messages: readonly ReceivedMessage[]) => {
    const lanes = (batch: readonly ReceivedMessage[]) => new Set(batch.map((m) => m.partition % 2));
    for (const other of running) {
      overlapped = true;
      expect([...lanes(other)]).not.toEqual([...lanes(messages)]);
    }
    running.add(messages);
    // The first call ends only when one of the other lane has begun, however late that is.
    await until(() => overlapped);
    running.delete(messages);
    got.push(...messages);
  };
  await bus.consume({ group: 'g', topics, max_batch: 5, handler });
  const keys = Array.from({ length: 10 }, (_, n) => `key${n}`);
  await bus.publish(
    't',
    keys.flatMap((key) => numbered(key, 20)),
  );
  await until(() => got.length === 200);
  expect(overlapped).toBe(true);
  for (const key of keys) {
    const values = got.filter((one) => one.key === key).map(({ value }) => value);
    expect(values).toEqual(numbered(key, 20).map(({ value }) => value));
  }
});

it('two processes that publish into the same partitions: every reader sees all, in order', async () => {
  const processes = [await open({ partitions: 2 }), await open({ partitions: 2 })];
  const heard: ReceivedMessage[][] = [[], [], []];
  for (const [index, bus] of processes.entries()) {
    await bus.tail('t', (messages) => heard[index]!.push(...messages));
  }
  const handler = async (messages: readonly ReceivedMessage[]) => {
    heard[2]!.push(...messages);
  };
  await processes[0]!.consume({ group: 'g', topics, max_batch: 50, handler });
  const publish = async (bus: MessageBus, name: string) => {
    for (let n = 0; n < 200; n++) await bus.publish('t', numbered(`${name}${n % 5}`, 3));
  };
  await Promise.all([publish(processes[0]!, 'a'), publish(processes[1]!, 'b')]);
  await until(() => heard.every((messages) => messages.length >= 1_200));
  for (const messages of heard) {
    expect(messages).toHaveLength(1_200);
    for (const partition of [0, 1]) {
      const offsets = messages.filter((m) => m.partition === partition).map((m) => m.offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  }
});
