import { createPool } from '#libs/platform';
import type pg from 'pg';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { messageBusContract } from '../../contract.js';
import { MAX_QUEUED_BYTES } from '../../contract-bench.js';
import type { MessageBus } from '../index.js';
import { embeddedMessageBus } from './embedded-bus.js';

const retry = { min_ms: 10, max_ms: 50 };

interface Process {
  readonly pool: pg.Pool;
  readonly name: string;
}

messageBusContract({
  name: 'the embedded bus',
  timeout_ms: 20_000,
  async start() {
    const database: TestDatabase = await freshDatabase();
    const processes = new Map<MessageBus, Process>();
    let count = 0;
    const disconnect = (name: string) =>
      database.pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
        [name],
      );
    return {
      async connect(topics, partitions) {
        const name = `process-${count++}`;
        const pool = createPool(database.url, { application_name: name, max_connections: 8 });
        const on_error = () => {};
        const limits = { max_queued_bytes: MAX_QUEUED_BYTES, retry, on_error };
        const bus = await embeddedMessageBus(pool, { topics, partitions, ...limits });
        processes.set(bus, { pool, name });
        return bus;
      },
      async cut(bus) {
        const { pool, name } = processes.get(bus)!;
        // It can neither use its connections nor make new ones.
        const dead = new Error('this process is dead');
        const connect = (done?: (error: Error) => void) => {
          if (done === undefined) return Promise.reject(dead);
          done(dead);
        };
        pool.connect = connect as typeof pool.connect;
        await disconnect(name);
      },
      async evict(bus) {
        await disconnect(processes.get(bus)!.name);
      },
      async stop() {
        await Promise.all([...processes.keys()].map((bus) => bus.close()));
        await Promise.all([...processes.values()].map(({ pool }) => pool.end()));
        await database.drop();
      },
    };
  },
});
