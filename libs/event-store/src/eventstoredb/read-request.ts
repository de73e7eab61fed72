import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Position } from './position.js';

/** What one counted read asks for. */
export type PageRequest = { readonly count: number; readonly backwards?: boolean } & (
  | { readonly of: 'stream'; readonly stream: string; readonly from: number | 'end' }
  | {
      readonly of: 'all';
      /** Inclusive. */
      readonly from: Position | 'start' | 'end';
      /** Of the names of streams; undefined: all. */
      readonly prefix?: string;
    }
);

/** How many events the server looks at before it takes a breath. */
const SEARCH_WINDOW = 500;

export function readRequest(request: PageRequest): streams.ReadReq {
  const options = new streams.ReadReq.Options();
  if (request.of === 'stream') {
    options.setStream(streamOptions(request.stream, request.from));
    options.setNoFilter(new shared.Empty());
  } else {
    options.setAll(allOptions(request.from));
    if (request.prefix === undefined) options.setNoFilter(new shared.Empty());
    else options.setFilter(prefixFilter(request.prefix));
  }
  const { FORWARDS, BACKWARDS } = streams.ReadReq.Options.ReadDirection;
  options.setReadDirection(request.backwards === true ? BACKWARDS : FORWARDS);
  options.setResolveLinks(false);
  options.setCount(String(request.count));
  const uuid = new streams.ReadReq.Options.UUIDOption();
  uuid.setString(new shared.Empty());
  options.setUuidOption(uuid);
  // From 1 on the server says where a stream ends.
  const control = new streams.ReadReq.Options.ControlOption();
  control.setCompatibility(1);
  options.setControlOption(control);
  const message = new streams.ReadReq();
  message.setOptions(options);
  return message;
}

function streamOptions(stream: string, from: number | 'end') {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream));
  const options = new streams.ReadReq.Options.StreamOptions();
  options.setStreamIdentifier(identifier);
  if (from === 'end') options.setEnd(new shared.Empty());
  else options.setRevision(String(from));
  return options;
}

function allOptions(from: Position | 'start' | 'end') {
  const options = new streams.ReadReq.Options.AllOptions();
  if (from === 'start') options.setStart(new shared.Empty());
  else if (from === 'end') options.setEnd(new shared.Empty());
  else {
    const position = new streams.ReadReq.Options.Position();
    position.setCommitPosition(String(from.commit));
    position.setPreparePosition(String(from.prepare));
    options.setPosition(position);
  }
  return options;
}

function prefixFilter(prefix: string) {
  const expression = new streams.ReadReq.Options.FilterOptions.Expression();
  expression.setPrefixList([prefix]);
  const filter = new streams.ReadReq.Options.FilterOptions();
  filter.setStreamIdentifier(expression);
  filter.setMax(SEARCH_WINDOW);
  filter.setCheckpointintervalmultiplier(1);
  return filter;
}
