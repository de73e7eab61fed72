import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { authenticate, isAllowed } from './access.js';
import type { ServerContext } from './context.js';
import * as errors from './errors.js';
import * as messages from './messages.js';
import * as rules from './rules.js';

type Options = streams.DeleteReq.Options | streams.TombstoneReq.Options;

/** Streams/Delete: hides the stream's events. */
export function softDelete(
  context: ServerContext,
  call: ServerUnaryCall<streams.DeleteReq, streams.DeleteResp>,
  reply: sendUnaryData<streams.DeleteResp>,
): void {
  remove(context, call, rules.softDelete, reply, (position) => {
    const response = new streams.DeleteResp();
    const message = new streams.DeleteResp.Position();
    message.setCommitPosition(position);
    message.setPreparePosition(position);
    response.setPosition(message);
    return response;
  });
}

/** Streams/Tombstone: ends the stream for ever. */
export function tombstone(
  context: ServerContext,
  call: ServerUnaryCall<streams.TombstoneReq, streams.TombstoneResp>,
  reply: sendUnaryData<streams.TombstoneResp>,
): void {
  remove(context, call, rules.tombstone, reply, (position) => {
    const response = new streams.TombstoneResp();
    const message = new streams.TombstoneResp.Position();
    message.setCommitPosition(position);
    message.setPreparePosition(position);
    response.setPosition(message);
    return response;
  });
}

function remove<Response>(
  context: ServerContext,
  call: ServerUnaryCall<streams.DeleteReq | streams.TombstoneReq, Response>,
  rule: typeof rules.softDelete,
  reply: sendUnaryData<Response>,
  success: (position: string) => Response,
): void {
  try {
    const options = call.request.getOptions();
    const identifier = options?.getStreamIdentifier();
    if (options === undefined || identifier === undefined) throw errors.handlerThrew();
    const stream = messages.streamName(identifier);
    const caller = authenticate(call.metadata, context.users);
    if (!isAllowed(context.store, caller, stream, '$d')) throw errors.accessDenied();
    const expected = expectedBy(options);
    context.store.submit(() => {
      const written = rule(context.store, stream, expected);
      return () => answer(written, expected);
    });

    const answer = (written: rules.Written, wanted: rules.ExpectedRevision) => {
      switch (written.kind) {
        case 'written':
          return reply(null, success(String(written.position)));
        case 'stream_deleted':
          return reply(errors.streamDeleted(stream));
        case 'wrong_expected_version': {
          const actual = String(written.current);
          return reply(errors.deleteConflict(stream, numberOf(wanted), actual));
        }
      }
    };
  } catch (error) {
    reply(errors.asGrpcError(error));
  }
}

function expectedBy(options: Options): rules.ExpectedRevision {
  if (options.hasAny()) return 'any';
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return messages.expectedRevision(options.getRevision());
}

/** As the server numbers them in its errors. */
function numberOf(expected: rules.ExpectedRevision): string {
  switch (expected) {
    case 'any':
      return '-2';
    case 'no_stream':
      return '-1';
    case 'stream_exists':
      return '-4';
    default:
      return String(expected);
  }
}
