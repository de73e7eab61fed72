import { InvariantBroken } from '#libs/contracts';
import type { RecordedEvent } from '../port.js';
import { exceptionIn } from './connection.js';
import type { Page, PageReader } from './pages.js';
import { persist, type Persistence } from './persistence.js';
import type { PageRequest } from './read-request.js';

interface StreamSources {
  readonly pages: PageReader;
  readonly on_failure: Persistence['on_failure'];
}

const PAGE = 500;
const ATTEMPTS = 5;

/**
 * One stream from a revision on. Throws InvariantBroken when an event that was there cannot be read any
 * more, because somebody truncated or deleted the stream: a part of it must not pass for the whole.
 */
export async function* readStream(
  sources: StreamSources,
  stream: string,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly RecordedEvent[]> {
  signal?.throwIfAborted();
  for (let next = from; ;) {
    const request: PageRequest = { of: 'stream', stream, from: next, count: PAGE };
    const page = await readPage(sources, request, signal);
    if (page.stream_not_found) {
      await requireNeverDeleted(sources, stream, signal);
      return;
    }
    const events = page.events.map(({ event }) => event);
    for (const { revision } of events) {
      if (revision !== next) throw gone(stream, `revision ${next} is missing`);
      next += 1;
    }
    if (page.is_last && page.last_revision !== undefined && page.last_revision >= next) {
      throw gone(stream, `revisions ${next} to ${page.last_revision} are hidden`);
    }
    if (events.length > 0) yield events;
    if (page.is_last) return;
  }
}

export async function readLast(
  sources: StreamSources,
  stream: string,
  signal: AbortSignal | undefined,
): Promise<RecordedEvent | undefined> {
  signal?.throwIfAborted();
  const request: PageRequest = { of: 'stream', stream, from: 'end', backwards: true, count: 1 };
  const page = await readPage(sources, request, signal);
  if (page.stream_not_found) {
    await requireNeverDeleted(sources, stream, signal);
    return undefined;
  }
  const last = page.events[0];
  if (last === undefined) throw gone(stream, 'its last event is hidden');
  return last.event;
}

async function readPage(
  { pages, on_failure }: StreamSources,
  request: Extract<PageRequest, { of: 'stream' }>,
  signal: AbortSignal | undefined,
): Promise<Page> {
  try {
    return await persist({ attempts: ATTEMPTS, signal, on_failure }, () =>
      pages.read(request, signal),
    );
  } catch (error) {
    if (exceptionIn(error) === 'stream-deleted') throw gone(request.stream, 'it is tombstoned');
    throw error;
  }
}

/** The server calls a deleted stream one that does not exist; its metadata remember it. */
async function requireNeverDeleted(
  sources: StreamSources,
  stream: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const metadata = `$$${stream}`;
  const request: PageRequest = {
    of: 'stream',
    stream: metadata,
    from: 'end',
    backwards: true,
    count: 1,
  };
  const page = await readPage(sources, request, signal);
  const text = page.events[0]?.event.data ?? '{}';
  if ('$tb' in (JSON.parse(text) as object)) throw gone(stream, 'it was deleted');
}

function gone(stream: string, what: string): InvariantBroken {
  return new InvariantBroken(`${stream}: history is gone, ${what}`);
}
