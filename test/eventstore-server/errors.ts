import { Metadata, status, type StatusObject } from '@grpc/grpc-js';

/** An answer that is no message: it ends the call. */
export type GrpcError = Error & StatusObject;

export function grpcError(
  code: status,
  details: string,
  trailers: Readonly<Record<string, string>> = {},
): GrpcError {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return Object.assign(new Error(details), { code, details, metadata });
}

/** What the server says whenever it did not think of a case. */
export const handlerThrew = (): GrpcError =>
  grpcError(status.UNKNOWN, 'Exception was thrown by handler.');

export const invalidArgument = (details: string): GrpcError =>
  grpcError(status.INVALID_ARGUMENT, details);

export const accessDenied = (): GrpcError =>
  grpcError(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });

export const streamDeleted = (stream: string): GrpcError =>
  grpcError(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });

export const deleteConflict = (stream: string, expected: string, actual: string): GrpcError =>
  grpcError(
    status.FAILED_PRECONDITION,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, ` +
      `Expected version: ${expected}, Actual version: ${actual}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': expected,
      'actual-version': actual,
    },
  );

export const appendTooLarge = (limit: number): GrpcError =>
  grpcError(status.INVALID_ARGUMENT, `Maximum Append Size of ${limit} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(limit),
  });

export const messageTooLarge = (): GrpcError =>
  grpcError(
    status.RESOURCE_EXHAUSTED,
    'Received message exceeds the maximum configured message size.',
  );

export const notLeader = (leader: { readonly host: string; readonly port: number }): GrpcError =>
  grpcError(status.NOT_FOUND, `Leader info available`, {
    exception: 'not-leader',
    'leader-endpoint-host': leader.host,
    'leader-endpoint-port': String(leader.port),
  });

export const isGrpcError = (error: unknown): error is GrpcError =>
  error instanceof Error && 'code' in error && 'details' in error;

/** The error itself when it is an answer; else what the server says to what nobody thought of. */
export const asGrpcError = (error: unknown): GrpcError =>
  isGrpcError(error) ? error : handlerThrew();

/** The server gave up waiting for its own write. */
export const timeout = (): GrpcError => grpcError(status.ABORTED, 'Operation timed out');
