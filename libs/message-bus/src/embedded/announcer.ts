import type pg from 'pg';

/** Tells other processes that there is something to read. */
interface Announcer {
  announce(topic: string): void;
  /** Waits for what is being announced. What is left unannounced others find when they look by themselves. */
  close(): Promise<void>;
}

export const CHANNEL = 'bus_append';
/** Held shared by the listening connection of each process that reads. */
export const LISTENER_LOCK = { class: 0x6275_6c00, object: 1 };
const MIN_PAUSE_MS = 5;
const COUNT_INTERVAL_MS = 1_000;

/**
 * In a statement of its own and at most every few ms: a notification inside the append would make all
 * appends of the database wait for each other. Says nothing while no other process listens.
 */
export function createAnnouncer(
  pool: pg.Pool,
  own_id: string,
  isListening: () => boolean,
  on_error: (error: unknown) => void,
): Announcer {
  const topics = new Set<string>();
  let others = true;
  let counted_at = -Infinity;
  let sent_at = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let sending = Promise.resolve();

  const countOthers = async () => {
    counted_at = performance.now();
    const { rows } = await pool.query<{ count: number }>({
      name: 'bus-listeners',
      text: `
        select count(*)::int4 as count from pg_locks
        where locktype = 'advisory' and granted and classid = $1::int8::oid and objid = $2::int8::oid
          and database = (select oid from pg_database where datname = current_database())`,
      values: [LISTENER_LOCK.class, LISTENER_LOCK.object],
    });
    others = (rows[0]?.count ?? 0) > (isListening() ? 1 : 0);
  };

  const send = async () => {
    if (performance.now() - counted_at > COUNT_INTERVAL_MS) await countOthers();
    const payload = [own_id, ...topics].join('\n');
    topics.clear();
    if (!others) return;
    await pool.query({
      name: 'bus-announce',
      text: 'select pg_notify($1, $2)',
      values: [CHANNEL, payload],
    });
  };

  return {
    announce(topic) {
      if (!others && performance.now() - counted_at < COUNT_INTERVAL_MS) return;
      topics.add(topic);
      if (timer !== undefined) return;
      const pause_ms = Math.max(0, sent_at + MIN_PAUSE_MS - performance.now());
      timer = setTimeout(() => {
        timer = undefined;
        sent_at = performance.now();
        const earlier = sending;
        sending = Promise.all([earlier, send().catch(on_error)]).then(() => {});
      }, pause_ms).unref();
    },
    close() {
      clearTimeout(timer);
      return sending;
    },
  };
}
