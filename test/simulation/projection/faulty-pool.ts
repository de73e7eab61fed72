import type pg from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './chance.js';

type Query = (...of: unknown[]) => Promise<pg.QueryResult>;
/** A statement as the projection sends it. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const ANY_FAULTS = [
  'a statement that is not sent',
  'a statement that is done and not answered',
] as const;
/** Of the one statement that writes. */
const WRITE_FAULTS = [
  ...ANY_FAULTS,
  'a statement that is done after it was given up',
  'a statement whose connection is killed while it waits for a lock',
] as const;
const SECOND = 'a projector that begins although another has the lock';
export const POOL_FAULTS = [...WRITE_FAULTS, SECOND];

/** A projector gets to its writing in spite of what fails before. */
const READS_PER_WRITE = 4;
const MAX_LATE_MS = 15;
const WAITING = `from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock' and query like 'with moved as%'`;

const lost = () => new Error('Connection terminated unexpectedly');

/** The pool of one projector, whose connections lose statements and answers. */
export function faultyPool(pool: pg.Pool, chance: Chance, per_cent: number): pg.Pool {
  const query = pool.query.bind(pool) as unknown as Query;

  /** The server ends the connection while the statement is under way: all of it, or nothing. */
  const kill = async (statement: unknown[]) => {
    const client = await pool.connect();
    try {
      await client.query('begin; lock table read.accounts in exclusive mode');
      const running = query(...statement);
      running.catch(() => {}); // awaited below
      for (let n = 0; n < 20; n += 1) {
        const { rowCount } = await client.query(`select pg_terminate_backend(pid) ${WAITING}`);
        if (rowCount !== 0) break;
        await sleep(1);
      }
      await client.query('rollback');
      return await running;
    } finally {
      client.release();
    }
  };

  const faulty: Query = async (...statement) => {
    const [faults, odds] = isWrite(statement[0])
      ? [WRITE_FAULTS, per_cent]
      : [ANY_FAULTS, per_cent / READS_PER_WRITE];
    const fault = chance.oneOf<(typeof WRITE_FAULTS)[number]>(faults);
    if (!chance.strikes(fault, odds)) return query(...statement);
    switch (fault) {
      case 'a statement that is not sent':
        throw lost();
      case 'a statement that is done and not answered':
        await query(...statement);
        throw lost();
      case 'a statement that is done after it was given up':
        void sleep(chance.pick(1, MAX_LATE_MS)).then(() => query(...statement).catch(() => {}));
        throw lost();
      case 'a statement whose connection is killed while it waits for a lock':
        return kill(statement);
    }
  };

  /** Two work at once when one is told that it has the lock, and has it not. */
  const connect = async () => {
    const client = await pool.connect();
    return new Proxy(client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (name !== 'query') return value.bind(target) as unknown;
        return async (...of: unknown[]) => {
          const asks = String(of[0]).includes('pg_try_advisory_lock');
          if (asks && chance.strikes(SECOND, per_cent / READS_PER_WRITE))
            return { rows: [{ mine: true }] };
          return (value as Query).apply(target, of);
        };
      },
    });
  };

  return new Proxy(pool, {
    get(target, name) {
      if (name === 'query') return faulty;
      if (name === 'connect') return connect;
      return Reflect.get(target, name) as unknown;
    },
  });
}

/** Whether it is the one statement that writes rows and checkpoint. */
export const isWrite = (statement: unknown): statement is Statement =>
  typeof statement === 'object' && (statement as Statement).name?.endsWith('.write') === true;
