import {
  accountStream,
  chainOf,
  linkEvent,
  type AccountKey,
  type StreamHead,
} from '#libs/contracts';
import type { RecordedEvent } from '#libs/event-store';
import type { AuditedLedger } from './audited-ledger.js';

export const ALICE = accountStream('dev/alice' as AccountKey);

export type Plant = (ledger: AuditedLedger) => void | Promise<void>;

/** What is planted, and the coordinates that the finding must name. */
export interface Mutation {
  /** A name of `verify`'s list. */
  readonly check: string;
  readonly what: string;
  readonly plant: Plant;
  readonly left: RegExp;
  readonly right?: RegExp;
}

export const sql =
  (...statements: string[]): Plant =>
  async ({ pool }) => {
    for (const statement of statements) {
      const { rowCount } = await pool.query(statement);
      if (rowCount === 0) throw new Error(`nothing was changed by ${statement}`);
    }
  };

/** Changes what is stored of an event and leaves its chain as it was. */
export const edit =
  (stream: string, revision: number, change: (data: string) => string): Plant =>
  ({ log }) => {
    const at = log.events.findIndex((e) => e.stream === stream && e.revision === revision);
    const edited = { ...log.events[at]!, data: change(log.events[at]!.data) };
    if (edited.data === log.events[at]!.data) throw new Error('nothing was changed');
    log.events[at] = edited;
    log.streams.get(stream)![revision] = edited;
  };

/** Rewrites a stream from one event on, in a chain that holds, there and in the read models. */
export const forge =
  (stream: string, change: (data: string, revision: number) => string): Plant =>
  async ({ log, pool }) => {
    const account_id = stream.split('/')[1]!;
    let head: StreamHead = { revision: -1, chain: '0'.repeat(64) };
    for (const [index, recorded] of log.events.entries()) {
      if (recorded.stream !== stream) continue;
      const linked = linkEvent(head, recorded.type, change(recorded.data, recorded.revision));
      head = linked.head;
      const forged: RecordedEvent = { ...recorded, ...linked.event };
      log.events[index] = forged;
      log.streams.get(stream)![recorded.revision] = forged;
      await pool.query(
        `update read.entries set data = $1, chain = decode($2, 'hex')
         where account_id = $3 and revision = $4`,
        [forged.data, head.chain, account_id, head.revision],
      );
    }
    await pool.query(`update read.accounts set chain = decode($1, 'hex') where account_id = $2`, [
      head.chain,
      account_id,
    ]);
    const last = log.events.at(-1)!;
    await pool.query('update read.checkpoint set event_id = $1', [last.event_id]);
  };

/** Appends an event to a stream, in a chain that holds, as if it had been decided from a message. */
export const append =
  (stream: string, change: (event: Record<string, unknown>) => object): Plant =>
  async ({ log, store }) => {
    const events = log.streams.get(stream)!;
    const last = events.at(-1)!;
    const chain = (JSON.parse(last.meta) as { chain: string }).chain;
    const data = JSON.stringify(change(JSON.parse(last.data)));
    const { event } = linkEvent({ revision: last.revision, chain }, last.type, data);
    await store.appendMany([{ stream, expected_revision: last.revision, events: [event] }]);
  };

/** Appends any text as an event, in a chain that holds, past what the store refuses. */
export const appendText =
  (stream: string, data: string): Plant =>
  async (ledger) => {
    await append(stream, (event) => event)(ledger);
    const { log } = ledger;
    const events = log.streams.get(stream)!;
    const [before, appended] = events.slice(-2) as [RecordedEvent, RecordedEvent];
    const head = { revision: before.revision, chain: chainOf(before.meta) };
    const forged = { ...appended, ...linkEvent(head, appended.type, data).event };
    events[appended.revision] = forged;
    log.events[log.events.length - 1] = forged;
  };
