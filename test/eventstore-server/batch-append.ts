import streams from '@eventstore/db-client/generated/streams_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { authenticate, isAllowed, type Caller } from './access.js';
import * as answers from './batch-answers.js';
import { MAX_APPEND_BYTES, MAX_MESSAGE_BYTES, type ServerContext } from './context.js';
import * as errors from './errors.js';
import { carryOut, WRITE_TIMEOUT_MS } from './faults.js';
import * as messages from './messages.js';
import * as rules from './rules.js';
import type { ProposedEvent } from './store.js';

type Call = ServerDuplexStream<Buffer, streams.BatchAppendResp>;
type Options = streams.BatchAppendReq.Options;

/** An append of which the final frame has not come yet. */
interface Unfinished {
  readonly stream: string;
  readonly expected: rules.ExpectedRevision;
  readonly options: Options;
  readonly events: ProposedEvent[];
}

/**
 * Streams/BatchAppend: any number of appends on one call, each of one frame or several with the same
 * correlation id. As on the server, a bad event is answered twice, the second time by the timeout of
 * the append that it left unfinished; and the timeout of one append hits whatever is unfinished under
 * its correlation id by then.
 */
export function batchAppend(context: ServerContext, call: Call): void {
  const unfinished = new Map<string, Unfinished>();
  const timers = new Set<NodeJS.Timeout>();
  let ended = false;

  const end = (error?: unknown) => {
    if (!ended && error !== undefined) call.emit('error', errors.asGrpcError(error));
    ended = true;
    for (const timer of timers) clearTimeout(timer);
  };
  const send = (message: streams.BatchAppendResp) => {
    if (!ended && !call.cancelled) call.write(message);
  };

  const begin = (id: string, options: Options, timeout_ms: number) => {
    if (unfinished.has(id)) return; // a repeated option is ignored
    unfinished.set(id, newAppend(options));
    const timer = setTimeout(() => {
      timers.delete(timer);
      const append = unfinished.get(id);
      if (!unfinished.delete(id) || append === undefined) return;
      send(answers.timeout(messages.structuredUuid(id), append.options.getStreamIdentifier()));
    }, timeout_ms);
    timers.add(timer);
  };

  const receive = (request: streams.BatchAppendReq, frame: Buffer, caller: Caller) => {
    const correlation = request.getCorrelationId();
    const id = messages.uuidText(correlation);
    const options = request.getOptions();
    if (options !== undefined) {
      const identifier = options.getStreamIdentifier();
      const stream = identifier === undefined ? '' : messages.streamName(identifier);
      if (!isAllowed(context.store, caller, stream, '$w')) {
        return send(answers.accessDenied(correlation, identifier));
      }
      const timeout_ms = timeoutOf(options, frame);
      if (timeout_ms <= 0) return send(answers.timeout(correlation, identifier));
      begin(id, options, timeout_ms);
    }

    const append = unfinished.get(id);
    if (append === undefined) return;
    // Those in front of a bad one stay.
    for (const event of request.getProposedMessagesList()) {
      append.events.push(messages.proposedEvent(event));
    }
    const identifier = append.options.getStreamIdentifier();
    if (messages.sizeOf(append.events) > MAX_APPEND_BYTES) {
      unfinished.delete(id);
      return send(answers.tooLarge(correlation, identifier, MAX_APPEND_BYTES));
    }
    if (!request.getIsFinal()) return;
    unfinished.delete(id);
    finish(id, append, correlation);
  };

  const finish = (id: string, append: Unfinished, correlation: shared.UUID | undefined) => {
    const { stream, expected, events, options } = append;
    if (id === messages.NIL_UUID) {
      throw new messages.BadValue(
        "correlationId (Parameter 'correlationId should be non-empty GUID.')",
      );
    }
    if (stream === '' || stream === '$$') throw messages.outOfRange('eventStreamId');
    const identifier = options.getStreamIdentifier();
    carryOut(context.store, context.faults.next(), {
      run: () => rules.append(context.store, stream, expected, events),
      answer: (written) => send(answers.outcome(correlation, options, written)),
      answerTimeout: () => send(answers.timeout(correlation, identifier)),
      fail: end,
      drop: () => context.drop(call.getPeer()),
    });
  };

  call.on('cancelled', () => end());
  // A client that sends no more may still wait for answers: the server ends the call with the client.
  call.on('end', () => {});
  try {
    const caller = authenticate(call.metadata, context.users);
    call.on('data', (bytes: Buffer) => {
      if (ended) return;
      const request = requestIn(bytes);
      if (errors.isGrpcError(request)) return end(request);
      try {
        receive(request, bytes, caller);
      } catch (error) {
        const options = request.getOptions();
        if (!(error instanceof messages.BadValue) || options === undefined) return end(error);
        const identifier = options.getStreamIdentifier();
        send(answers.badRequest(request.getCorrelationId(), identifier, error.message));
      }
    });
  } catch (error) {
    end(error);
  }
}

function requestIn(bytes: Buffer): streams.BatchAppendReq | errors.GrpcError {
  if (bytes.length > MAX_MESSAGE_BYTES) return errors.messageTooLarge();
  try {
    return messages.decode(streams.BatchAppendReq, bytes);
  } catch {
    return errors.handlerThrew();
  }
}

function newAppend(options: Options): Unfinished {
  const identifier = options.getStreamIdentifier();
  const expected = expectedBy(options);
  if (identifier === undefined) {
    throw new messages.BadValue('Object reference not set to an instance of an object.');
  }
  return { stream: messages.streamName(identifier), expected, options, events: [] };
}

function expectedBy(options: Options): rules.ExpectedRevision {
  const is = streams.BatchAppendReq.Options.ExpectedStreamPositionCase;
  switch (options.getExpectedStreamPositionCase()) {
    case is.ANY:
      return 'any';
    case is.NO_STREAM:
      return 'no_stream';
    case is.STREAM_EXISTS:
      return 'stream_exists';
    case is.STREAM_POSITION:
      return messages.expectedRevision(options.getStreamPosition());
    case is.EXPECTED_STREAM_POSITION_NOT_SET:
      throw new messages.BadValue(
        'Status(StatusCode="InvalidArgument", Detail="\'None\' is not a valid EventStore.Client.' +
          'Streams.BatchAppendReq+Types+Options+ExpectedStreamPositionOneofCase")',
      );
  }
}

/** In ms; a deadline is compared once, on arrival. */
function timeoutOf(options: Options, frame: Buffer): number {
  const deadline = options.getDeadline();
  const asked_ms =
    messages.durationMs(frame) ??
    (deadline === undefined ? Infinity : deadline.toDate().getTime() - Date.now());
  return Math.min(asked_ms, WRITE_TIMEOUT_MS);
}
