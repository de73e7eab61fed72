import { backoffMs, within, type Backoff } from '#libs/platform';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { createBell } from '../delivery/bell.js';

interface SessionOptions {
  readonly channel: string;
  /** The connection is made; rejecting ends it and makes another. */
  readonly opened: (client: pg.ClientBase) => Promise<void>;
  /** The connection is gone or about to go, and with it every lock that it held. */
  readonly lost: () => void;
  /**
   * Called after every notification, with what came since the last call, and at least once per
   * interval; rejecting ends the connection.
   */
  readonly tick: (client: pg.ClientBase, payloads: readonly string[]) => Promise<void>;
  /** The last that happens on the connection when the session is closed. */
  readonly leave: (client: pg.ClientBase) => Promise<void>;
  readonly interval_ms: number;
  readonly retry: Backoff;
  readonly on_error: (error: unknown) => void;
}

export interface Session {
  /** Asks for a tick soon. */
  readonly wake: () => void;
  readonly close: () => Promise<void>;
}

/** No answer for so long: the connection is taken for dead, as behind a cut cable. */
const TICK_TIMEOUT_MS = 10_000;

/**
 * One connection out of the pool for as long as it lives, then the next: for session locks and
 * notifications, which end with their connection.
 */
export function openSession(pool: pg.Pool, options: SessionOptions): Session {
  const bell = createBell();
  let closing = false;
  let failures = 0;

  const serve = async (client: pg.PoolClient) => {
    const payloads: string[] = [];
    let broken: Error | undefined;
    const end = (error?: Error) => {
      broken ??= error ?? new Error('the connection ended');
      bell.ring();
    };
    client.on('error', end).on('end', end);
    client.on('notification', ({ payload }) => {
      payloads.push(payload ?? '');
      bell.ring();
    });
    try {
      await client.query(`listen ${options.channel}`);
      await answered(options.opened(client));
      while (!closing) {
        bell.clear();
        if (broken !== undefined) throw broken;
        await answered(options.tick(client, payloads.splice(0)));
        failures = 0;
        if (!closing) await bell.heard(options.interval_ms);
      }
      if (broken === undefined) await answered(options.leave(client));
    } finally {
      client.removeAllListeners('notification');
      options.lost();
      client.release(true);
    }
  };

  const run = async () => {
    while (!closing) {
      try {
        await serve(await pool.connect());
      } catch (error) {
        options.on_error(error);
        if (closing) return;
        await sleep(backoffMs(options.retry, ++failures));
      }
    }
  };

  const ended = run();
  return {
    wake: bell.ring,
    close() {
      closing = true;
      bell.ring();
      return ended;
    },
  };
}

const answered = (work: Promise<void>): Promise<void> =>
  within(TICK_TIMEOUT_MS, work, 'no answer from Postgres');
