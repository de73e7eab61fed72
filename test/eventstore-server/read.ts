import { setTimeout as sleep } from 'node:timers/promises';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { authenticate, isAllowed } from './access.js';
import type { ServerContext } from './context.js';
import * as errors from './errors.js';
import * as messages from './messages.js';
import * as answers from './read-answers.js';
import { indexFrom } from './log-position.js';
import { readRequest, SERVER_PAGE, unreadable, type ReadRequest } from './read-request.js';
import * as rules from './rules.js';
import { sendAll, type ReadCall } from './sending.js';
import type { Store } from './store.js';
import { subscribe } from './subscribe.js';

/** Streams/Read: counted reads and subscriptions, of one stream and of all. */
export async function read(context: ServerContext, call: ReadCall): Promise<void> {
  try {
    const request = requestIn(call.request);
    const caller = authenticate(call.metadata, context.users);
    const { source } = request;
    const stream = source.kind === 'all' ? '$all' : source.stream;
    if (!isAllowed(context.store, caller, stream, '$r')) throw errors.accessDenied();

    if (request.uuid_form === undefined) return; // the server never answers
    const form = { uuid_form: request.uuid_form, resolve_links: request.resolve_links };
    if (request.count === 'subscription') return await subscribe(context, call, request, form);
    if (neverEnds(request)) return;
    const found =
      source.kind === 'stream'
        ? readStream(context.store, request, request.count, source, form)
        : readAll(context, call, request, request.count, source, form);
    if (await sendAll(call, found)) call.end();
  } catch (error) {
    call.emit('error', errors.asGrpcError(error));
  }
}

function requestIn(bytes: Buffer): ReadRequest {
  if (bytes.length > 0) return readRequest(messages.decode(streams.ReadReq, bytes));
  throw errors.handlerThrew();
}

/** Searches that look at no event, or want none, go on for ever. */
const neverEnds = ({ source, count, filter }: ReadRequest): boolean =>
  source.kind === 'all' && (count === 0 || (filter !== undefined && filter.window <= 0));

function* readStream(
  store: Store,
  request: ReadRequest,
  count: number,
  { stream, from }: Extract<ReadRequest['source'], { kind: 'stream' }>,
  form: answers.EventForm,
): Generator<streams.ReadResp> {
  if (rules.isTombstoned(store, stream)) throw errors.streamDeleted(stream);
  if (count === 0 || (from === 'end' && !request.backwards)) {
    throw unreadable('ReadStreamResult');
  }
  const last = rules.lastRevision(store, stream);
  if (last < 0 || rules.isSoftDeleted(store, stream)) {
    yield answers.streamNotFound(stream);
    return;
  }
  const { events } = store.stream(stream)!;
  const first = rules.firstVisible(store, stream);
  const start = from === 'start' ? 0 : from === 'end' ? last : from;
  const says_bounds = request.compatibility > 0;
  let left = count;

  if (request.backwards) {
    for (let at = Math.min(start, last); at >= first && left > 0; at -= 1, left -= 1) {
      yield answers.event(store, events[at]!, form);
    }
  } else {
    // When the server's first page is empty, it says where the next one begins.
    const pageEnd = start + Math.min(count, SERVER_PAGE) - 1;
    const next = start > last ? last + 1 : pageEnd < first ? first : start;
    if (says_bounds && next !== start) yield answers.firstStreamPosition(next);
    for (let at = Math.max(start, first); at <= last && left > 0; at += 1, left -= 1) {
      yield answers.event(store, events[at]!, form);
    }
  }
  if (says_bounds) yield answers.lastStreamPosition(last);
}

async function* readAll(
  { store, faults }: ServerContext,
  call: ReadCall,
  { backwards, filter }: ReadRequest,
  count: number,
  { from }: Extract<ReadRequest['source'], { kind: 'all' }>,
  form: answers.EventForm,
): AsyncGenerator<streams.ReadResp> {
  const { log } = store;
  const at = indexFrom(store, from, backwards, filter !== undefined);
  const step = backwards ? -1 : 1;
  let left = count;
  let passed = 0;
  for (let i = backwards ? at - 1 : at; i >= 0 && i < log.length && left > 0; i += step) {
    const stored = log[i]!;
    if (filter !== undefined && !filter.passes(stored)) {
      passed += 1;
      if (faults.search_ms === undefined || passed % filter.window !== 0) continue;
      await sleep(faults.search_ms);
      if (call.cancelled) return;
      continue;
    }
    left -= 1;
    yield answers.event(store, stored, form);
  }
}
