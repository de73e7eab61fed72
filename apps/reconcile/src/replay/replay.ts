import { accountKey, accountStream, type AccountEvent } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { grouped, signed, tableHeader, tableRow, type Column } from '../table.js';
import { isAfter, type AsOf } from './as-of.js';
import { foldStream } from '../fold-stream.js';

interface ReplayOptions {
  readonly tenant_id: string;
  readonly account_id: string;
  /** Events after it are left out; undefined: none is. */
  readonly as_of: AsOf | undefined;
  readonly signal: AbortSignal;
}

const COLUMNS: readonly Column[] = [
  { name: 'revision', width: 8, align: 'right' },
  { name: 'recorded at', width: 24, align: 'left' },
  { name: 'event', width: 20, align: 'left' },
  { name: 'change', width: 12, align: 'right' },
  { name: 'available', width: 12, align: 'right' },
  { name: 'reserved', width: 12, align: 'right' },
  { name: 'request', width: 7, align: 'left' },
];

/** Folds an account's stream and shows the balance after each event. */
export async function replay(
  store: Pick<EventReader, 'readStream' | 'readLast'>,
  { tenant_id, account_id, as_of, signal }: ReplayOptions,
  out: Output,
): Promise<ExitCode> {
  const stream = accountStream(accountKey(tenant_id, account_id));
  if (as_of?.kind === 'revision') await requireReached(store, stream, as_of.revision, signal);
  let events = 0;
  for await (const { recorded, event, head, before, account } of foldStream(
    store,
    stream,
    signal,
  )) {
    const { recorded_at, type } = event;
    if (isAfter(as_of, { revision: head.revision, recorded_at })) break;
    if (events === 0) out.report('stream', { stream }, () => `${stream}\n${tableHeader(COLUMNS)}`);
    events += 1;
    const { available, reserved } = account;
    const change = available - before.available;
    const { event_id } = recorded;
    out.report(
      'event',
      { revision: head.revision, event_id, chain: head.chain, change, available, reserved, event },
      () =>
        tableRow(COLUMNS, [
          String(head.revision),
          recorded_at,
          type,
          signed(change),
          grouped(available),
          grouped(reserved),
          requestOf(event),
        ]),
    );
  }
  if (events > 0) return EXIT.fine;
  const when = as_of === undefined ? '' : ' at or before that moment';
  throw new NotFound(`${stream} has no events${when}`);
}

/** A date without its dashes reads as a revision: all of the stream would pass for that day's state. */
async function requireReached(
  store: Pick<EventReader, 'readLast'>,
  stream: string,
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  const last = await store.readLast(stream, { signal });
  if (last === undefined || revision <= last.revision) return;
  throw new NotFound(
    `--as-of ${revision} is beyond revision ${last.revision}, the last of ${stream}; ` +
      'a date is written as 2026-01-31, a time as 2026-01-31T12:00:00Z',
  );
}

const requestOf = (event: AccountEvent): string =>
  'request_id' in event ? event.request_id : `(due, with ${event.caused_by})`;
