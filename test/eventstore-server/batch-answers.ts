import codes from '@eventstore/db-client/generated/code_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Message } from 'google-protobuf';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { identifier as identifierOf } from './messages.js';
import type { Written } from './rules.js';

type Answer = streams.BatchAppendResp;
type Correlation = shared.UUID | undefined;
const { Code: code } = codes;
type Identifier = shared.StreamIdentifier | undefined;

function answerTo(correlation: Correlation, identifier: Identifier): Answer {
  const answer = new streams.BatchAppendResp();
  if (correlation !== undefined) answer.setCorrelationId(correlation);
  if (identifier !== undefined) answer.setStreamIdentifier(identifier);
  return answer;
}

function failure(
  correlation: Correlation,
  identifier: Identifier,
  code_number: codes.Code,
  name: string,
  details: Message,
): Answer {
  const packed = new any.Any();
  packed.pack(details.serializeBinary(), `event_store.client.${name}`);
  const error = new status.Status();
  error.setCode(code_number);
  error.setMessage(name);
  error.setDetails(packed);
  const answer = answerTo(correlation, identifier);
  answer.setError(error);
  return answer;
}

export const accessDenied = (correlation: Correlation, identifier: Identifier): Answer =>
  failure(
    correlation,
    identifier,
    code.PERMISSION_DENIED,
    'AccessDenied',
    new shared.AccessDenied(),
  );

export const timeout = (correlation: Correlation, identifier: Identifier): Answer =>
  failure(correlation, identifier, code.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout());

export function tooLarge(correlation: Correlation, identifier: Identifier, limit: number): Answer {
  const details = new shared.MaximumAppendSizeExceeded();
  details.setMaxappendsize(limit);
  const name = 'MaximumAppendSizeExceeded';
  return failure(correlation, identifier, code.INVALID_ARGUMENT, name, details);
}

export function badRequest(correlation: Correlation, identifier: Identifier, why: string): Answer {
  const details = new shared.BadRequest();
  details.setMessage(why);
  return failure(correlation, identifier, code.INVALID_ARGUMENT, 'BadRequest', details);
}

/** What became of an append that was carried out. */
export function outcome(
  correlation: Correlation,
  options: streams.BatchAppendReq.Options,
  written: Written,
): Answer {
  const identifier = options.getStreamIdentifier();
  switch (written.kind) {
    case 'written':
      return success(correlation, identifier, written);
    case 'stream_deleted': {
      const details = new shared.StreamDeleted();
      details.setStreamIdentifier(identifierOf(nameOf(identifier)));
      return failure(correlation, identifier, code.NOT_FOUND, 'StreamDeleted', details);
    }
    case 'wrong_expected_version': {
      const details = wrongExpectedVersion(options, written.current);
      const name = 'WrongExpectedVersion';
      return failure(correlation, identifier, code.ALREADY_EXISTS, name, details);
    }
  }
}

const nameOf = (identifier: Identifier): string =>
  Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8');

function success(
  correlation: Correlation,
  identifier: Identifier,
  written: Extract<Written, { kind: 'written' }>,
): Answer {
  const message = new streams.BatchAppendResp.Success();
  if (written.revision === -1) message.setNoStream(new empty.Empty());
  else message.setCurrentRevision(String(written.revision));
  if (written.position === undefined) {
    message.setNoPosition(new empty.Empty());
  } else {
    const position = new shared.AllStreamPosition();
    position.setCommitPosition(String(written.position));
    position.setPreparePosition(String(written.position));
    message.setPosition(position);
  }
  const answer = answerTo(correlation, identifier);
  answer.setSuccess(message);
  return answer;
}

function wrongExpectedVersion(
  options: streams.BatchAppendReq.Options,
  current: number,
): shared.WrongExpectedVersion {
  const message = new shared.WrongExpectedVersion();
  if (current === -1) message.setCurrentNoStream(new empty.Empty());
  else message.setCurrentStreamRevision(String(current));
  const is = streams.BatchAppendReq.Options.ExpectedStreamPositionCase;
  switch (options.getExpectedStreamPositionCase()) {
    case is.ANY:
      message.setExpectedAny(new empty.Empty());
      break;
    case is.NO_STREAM:
      message.setExpectedNoStream(new empty.Empty());
      break;
    case is.STREAM_EXISTS:
      message.setExpectedStreamExists(new empty.Empty());
      break;
    case is.STREAM_POSITION:
    case is.EXPECTED_STREAM_POSITION_NOT_SET:
      message.setExpectedStreamPosition(options.getStreamPosition());
      break;
  }
  return message;
}
