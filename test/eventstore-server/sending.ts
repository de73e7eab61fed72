import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';

export type ReadCall = ServerWritableStream<Buffer, streams.ReadResp>;

/** Sends as the client takes it. False when the client has gone. */
export async function sendAll(
  call: ReadCall,
  found: Iterable<streams.ReadResp> | AsyncIterable<streams.ReadResp>,
): Promise<boolean> {
  for await (const message of found) {
    if (call.cancelled) return false;
    if (!call.write(message)) await drained(call);
  }
  return !call.cancelled;
}

const drained = (call: ReadCall): Promise<void> =>
  new Promise((resolve) => {
    if (call.cancelled) return resolve();
    const events = ['drain', 'cancelled', 'close'];
    const done = () => {
      for (const name of events) call.removeListener(name, done);
      resolve();
    };
    for (const name of events) call.on(name, done);
  });
