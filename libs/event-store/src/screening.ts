import type { AppendResult, EventAppender, StreamAppend } from './port.js';

type Limits = EventAppender['limits'];

/** In lower case, as stores give it back. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';
// oxlint-disable-next-line no-control-regex -- these are what a name must not hold
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
/** UTF-8 of a UTF-16 unit; what is shorter by this measure need not be counted. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * Lets `write` see only appends that a store can take, and puts its answers and the refusals back into
 * the order of the call. What is malformed must not reach a server: there it would harm its neighbours.
 */
export async function appendScreened(
  appends: readonly StreamAppend[],
  limits: Limits,
  write: (accepted: readonly StreamAppend[]) => Promise<readonly AppendResult[]>,
): Promise<AppendResult[]> {
  const streams = new Set<string>();
  const refusals = appends.map((append) => {
    const why = streams.has(append.stream)
      ? 'the call has two appends to this stream'
      : whyRefused(append, limits);
    streams.add(append.stream);
    return why;
  });
  const accepted = appends.filter((_, n) => refusals[n] === undefined);
  const written = accepted.length === 0 ? [] : await write(accepted);

  let next = 0;
  return refusals.map((why) =>
    why === undefined ? written[next++]! : { kind: 'refused' as const, why },
  );
}

function whyRefused(append: StreamAppend, limits: Limits): string | undefined {
  const { stream, expected_revision, events } = append;
  if (!isName(stream)) return 'the stream name is empty or holds a control character';
  if (!Number.isSafeInteger(expected_revision) || expected_revision < -1) {
    return 'the expected revision is not -1 or a revision';
  }
  if (events.length === 0) return 'there are no events';
  if (events.length > limits.max_events) {
    return `${events.length} events, at most ${limits.max_events}`;
  }
  let units = 0;
  for (const { data } of events) units += data.length;
  if (units * MAX_BYTES_PER_UNIT > limits.max_bytes) {
    const bytes = events.reduce((sum, event) => sum + Buffer.byteLength(event.data), 0);
    if (bytes > limits.max_bytes) return `${bytes} bytes of data, at most ${limits.max_bytes}`;
  }

  for (const [n, { event_id, type, data, meta }] of events.entries()) {
    if (!UUID.test(event_id) || event_id === NIL_UUID) return `event ${n}: its id is not a UUID`;
    if (!isName(type)) return `event ${n}: its type is empty or holds a control character`;
    if (!isObjectText(data)) return `event ${n}: its data are not the text of a JSON object`;
    if (!isObjectText(meta)) return `event ${n}: its metadata are not the text of a JSON object`;
  }
  return undefined;
}

const isName = (text: string): boolean =>
  text !== '' && text.isWellFormed() && !CONTROL_CHARACTER.test(text);

/**
 * Whether this looks like a whole JSON object and comes back from UTF-8 and from every server as it
 * was. It is not parsed: that would cost as much as the rest of an append, and the one who reads it
 * does so anyway. A server that refuses NUL would refuse all that is sent along with it.
 */
const isObjectText = (text: string): boolean =>
  text.startsWith('{') && text.endsWith('}') && text.isWellFormed() && !text.includes('\u0000');
