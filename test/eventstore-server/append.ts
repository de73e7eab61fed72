import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import { authenticate, isAllowed } from './access.js';
import { MAX_APPEND_BYTES, MAX_MESSAGE_BYTES, type ServerContext } from './context.js';
import * as errors from './errors.js';
import { carryOut } from './faults.js';
import * as messages from './messages.js';
import * as rules from './rules.js';
import type { ProposedEvent } from './store.js';

type Call = ServerReadableStream<Buffer, streams.AppendResp>;
type Options = streams.AppendReq.Options;

/** Streams/Append: one append per call; its options first, then a message per event. */
export function append(
  context: ServerContext,
  call: Call,
  reply: sendUnaryData<streams.AppendResp>,
): void {
  let options: Options | undefined;
  const events: ProposedEvent[] = [];
  let answered = false;
  const fail = (error: unknown) => {
    if (!answered) reply(errors.asGrpcError(error));
    answered = true;
  };

  call.on('data', (bytes: Buffer) => {
    if (answered) return;
    try {
      if (bytes.length > MAX_MESSAGE_BYTES) throw errors.messageTooLarge();
      const request = messages.decode(streams.AppendReq, bytes);
      options = request.getOptions() ?? options;
      const proposed = request.getProposedMessage();
      if (proposed !== undefined) events.push(messages.proposedEvent(proposed));
      if (messages.sizeOf(events) > MAX_APPEND_BYTES) {
        throw errors.appendTooLarge(MAX_APPEND_BYTES);
      }
    } catch (error) {
      fail(error);
    }
  });

  call.on('end', () => {
    if (answered) return;
    try {
      const to = target(options);
      const caller = authenticate(call.metadata, context.users);
      if (!isAllowed(context.store, caller, to.stream, '$w')) throw errors.accessDenied();
      carryOut(context.store, context.faults.next(), {
        run: () => rules.append(context.store, to.stream, to.expected, events),
        answer(written) {
          if (written.kind === 'stream_deleted') return fail(errors.streamDeleted(to.stream));
          if (!answered) reply(null, response(written, to.options));
          answered = true;
        },
        answerTimeout: () => fail(errors.timeout()),
        fail,
        drop: () => context.drop(call.getPeer()),
      });
    } catch (error) {
      fail(error);
    }
  });
}

function target(options: Options | undefined) {
  const identifier = options?.getStreamIdentifier();
  if (options === undefined || identifier === undefined) throw errors.handlerThrew();
  const stream = messages.streamName(identifier);
  if (stream === '') throw errors.handlerThrew();
  return { options, stream, expected: expectedBy(options) };
}

function expectedBy(options: Options): rules.ExpectedRevision {
  if (options.hasAny()) return 'any';
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return messages.expectedRevision(options.getRevision());
}

function response(
  written: Exclude<rules.Written, { kind: 'stream_deleted' }>,
  options: Options,
): streams.AppendResp {
  const message = new streams.AppendResp();
  if (written.kind === 'wrong_expected_version') {
    message.setWrongExpectedVersion(wrongExpectedVersion(written.current, options));
    return message;
  }
  const success = new streams.AppendResp.Success();
  if (written.revision === -1) success.setNoStream(new shared.Empty());
  else success.setCurrentRevision(String(written.revision));
  if (written.position === undefined) success.setNoPosition(new shared.Empty());
  else success.setPosition(position(written.position));
  message.setSuccess(success);
  return message;
}

function position(at: number): streams.AppendResp.Position {
  const message = new streams.AppendResp.Position();
  message.setCommitPosition(String(at));
  message.setPreparePosition(String(at));
  return message;
}

function wrongExpectedVersion(
  current: number,
  options: Options,
): streams.AppendResp.WrongExpectedVersion {
  const message = new streams.AppendResp.WrongExpectedVersion();
  if (current === -1) message.setCurrentNoStream(new shared.Empty());
  else message.setCurrentRevision(String(current));
  if (options.hasAny()) message.setExpectedAny(new shared.Empty());
  else if (options.hasNoStream()) message.setExpectedNoStream(new shared.Empty());
  else if (options.hasStreamExists()) message.setExpectedStreamExists(new shared.Empty());
  else message.setExpectedRevision(options.getRevision());
  return message;
}
