import type streams from '@eventstore/db-client/generated/streams_pb.js';
import { unlessAborted } from '../unless-aborted.js';
import { Silence, type Connection } from './connection.js';
import { decodeReadAnswer, type ReadEvent } from './read-codec.js';
import { readRequest, type PageRequest } from './read-request.js';

export interface Page {
  readonly events: readonly ReadEvent[];
  /** Whether there was nothing more, when the page was not full. */
  readonly is_last: boolean;
  readonly stream_not_found: boolean;
  /** Of the stream, if the server says so. */
  readonly last_revision: number | undefined;
  /** The connection it came over: two pages of one source come from one server. */
  readonly source: object;
}

export interface PageReader {
  /**
   * Rejects with the gRPC error, when nothing came for the timeout, and with the signal's reason when
   * it aborts.
   */
  read(request: PageRequest, signal?: AbortSignal): Promise<Page>;
}

const PATH = '/event_store.client.streams.Streams/Read';

/** A page that is larger is cut, so that one read never takes the process's memory. */
const MAX_PAGE_BYTES = 16_000_000;

export function newPageReader(connection: Connection, timeout_ms: number): PageReader {
  return { read: (request, signal) => readPage(connection, timeout_ms, request, signal) };
}

async function readPage(
  connection: Connection,
  timeout_ms: number,
  request: PageRequest,
  signal: AbortSignal | undefined,
): Promise<Page> {
  const client = await unlessAborted(connection.open(), signal);
  signal?.throwIfAborted();
  const [metadata, options] = connection.callArguments();
  const call = client.makeServerStreamRequest(
    PATH,
    (message: streams.ReadReq) => Buffer.from(message.serializeBinary()),
    (bytes: Buffer) => bytes,
    readRequest(request),
    metadata,
    options,
  );

  const events: ReadEvent[] = [];
  let stream_not_found = false;
  let last_revision: number | undefined;
  let bytes_left = MAX_PAGE_BYTES;
  let settled = () => {};
  try {
    const ended = await new Promise<'whole' | 'cut'>((resolve, reject) => {
      const patience = setTimeout(() => reject(new Silence(timeout_ms)), timeout_ms);
      const abort = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', abort);
      settled = () => {
        clearTimeout(patience);
        signal?.removeEventListener('abort', abort);
      };
      call.on('data', (bytes: Buffer) => {
        patience.refresh();
        if (bytes_left < 0) return;
        try {
          const answer = decodeReadAnswer(bytes);
          if (answer.kind === 'event') events.push(answer);
          else if (answer.kind === 'stream_not_found') stream_not_found = true;
          else if (answer.kind === 'last_revision') last_revision = answer.revision;
        } catch (error) {
          reject(error as Error);
        }
        bytes_left -= bytes.length;
        if (bytes_left < 0) resolve('cut');
      });
      call.on('end', () => resolve('whole'));
      call.on('error', reject);
    });
    const is_last = ended === 'whole' && events.length < request.count;
    return { events, is_last, stream_not_found, last_revision, source: client };
  } catch (error) {
    if (!signal?.aborted) await connection.failed(client, error as Error);
    throw error;
  } finally {
    settled();
    call.cancel();
  }
}
