import streams from '@eventstore/db-client/generated/streams_pb.js';
import { status } from '@grpc/grpc-js';
import { grpcError, handlerThrew, invalidArgument } from './errors.js';
import { streamName, type UuidForm } from './messages.js';
import type { StoredEvent } from './store.js';

type Options = streams.ReadReq.Options;

export interface Position {
  readonly commit: number;
  readonly prepare: number;
}

export type Source =
  | { readonly kind: 'stream'; readonly stream: string; readonly from: 'start' | 'end' | number }
  | { readonly kind: 'all'; readonly from: 'start' | 'end' | Position };

export interface Filter {
  passes(event: StoredEvent): boolean;
  /** How many events one search looks at. */
  readonly window: number;
  /** How many events lie between two checkpoints. */
  readonly checkpoint_interval: number;
}

export interface ReadRequest {
  readonly source: Source;
  readonly backwards: boolean;
  readonly count: number | 'subscription';
  readonly resolve_links: boolean;
  readonly filter: Filter | undefined;
  readonly uuid_form: UuidForm | undefined;
  /** From 1 on, a read of a stream says where the stream begins and ends. */
  readonly compatibility: number;
}

/** Events that the server reads at a time, and its search window when the filter names none. */
export const SERVER_PAGE = 32;

/** Throws the server's answer to what it does not take. */
export function readRequest(message: streams.ReadReq): ReadRequest {
  const options = message.getOptions();
  if (options === undefined) throw handlerThrew();
  requireCombination(options);
  return {
    source: sourceOf(options),
    backwards: options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS,
    count: options.hasSubscription() ? 'subscription' : Number(options.getCount()),
    resolve_links: options.getResolveLinks(),
    filter: filterOf(options.getFilter()),
    uuid_form: uuidForm(options.getUuidOption()),
    compatibility: options.getControlOption()?.getCompatibility() ?? 0,
  };
}

function requireCombination(options: Options): void {
  const what = options.hasStream() ? 'Stream' : options.hasAll() ? 'All' : 'None';
  const much = options.hasCount() ? 'Count' : options.hasSubscription() ? 'Subscription' : 'None';
  const filter = options.hasNoFilter() ? 'NoFilter' : options.hasFilter() ? 'Filter' : 'None';
  const direction = options.getReadDirection() === 1 ? 'Backwards' : 'Forwards';
  const legal =
    what !== 'None' &&
    much !== 'None' &&
    filter !== 'None' &&
    !(what === 'Stream' && filter === 'Filter') &&
    !(much === 'Subscription' && direction === 'Backwards');
  if (legal) return;
  throw invalidArgument(
    `The combination of (${what}, ${much}, ${direction}, ${filter}) is invalid.`,
  );
}

/** Read as a signed number, -1 is the end, and what else is negative is nothing. */
const END = 2n ** 64n - 1n;
const FIRST_NEGATIVE = 2n ** 63n;

function sourceOf(options: Options): Source {
  const of_stream = options.getStream();
  if (of_stream !== undefined) {
    const identifier = of_stream.getStreamIdentifier();
    const stream = identifier === undefined ? '' : streamName(identifier);
    if (stream === '') throw handlerThrew();
    if (of_stream.hasStart()) return { kind: 'stream', stream, from: 'start' };
    if (of_stream.hasEnd()) return { kind: 'stream', stream, from: 'end' };
    if (!of_stream.hasRevision()) throw handlerThrew();
    return { kind: 'stream', stream, from: signed(of_stream.getRevision()) };
  }
  const all = options.getAll();
  if (all?.hasStart()) return { kind: 'all', from: 'start' };
  if (all?.hasEnd()) return { kind: 'all', from: 'end' };
  const position = all?.getPosition();
  if (position === undefined) throw handlerThrew();
  const commit = signed(position.getCommitPosition());
  const prepare = signed(position.getPreparePosition());
  if (commit === 'end' && prepare === 'end') return { kind: 'all', from: 'end' };
  if (commit === 'end' || prepare === 'end' || prepare > commit) throw handlerThrew();
  return { kind: 'all', from: { commit, prepare } };
}

function signed(text: string): number | 'end' {
  const value = BigInt(text);
  if (value === END) return 'end';
  if (value >= FIRST_NEGATIVE) throw handlerThrew();
  return Number(value);
}

function filterOf(options: streams.ReadReq.Options.FilterOptions | undefined): Filter | undefined {
  if (options === undefined) return undefined;
  const window = windowOf(options);
  const multiplier = options.getCheckpointintervalmultiplier();
  return { passes: predicate(options), window, checkpoint_interval: window * multiplier };
}

function windowOf(options: streams.ReadReq.Options.FilterOptions): number {
  if (options.hasCount()) return SERVER_PAGE;
  if (options.hasMax()) return options.getMax() | 0;
  const kind = 'EventStore.Client.Streams.ReadReq+Types+Options+Types+FilterOptions';
  throw invalidArgument(`'None' is not a valid ${kind}+WindowOneofCase`);
}

function predicate(
  options: streams.ReadReq.Options.FilterOptions,
): (event: StoredEvent) => boolean {
  const by_stream = options.getStreamIdentifier();
  const expression = by_stream ?? options.getEventType();
  if (expression === undefined) {
    const kind = 'EventStore.Client.Streams.ReadReq+Types+Options+Types+FilterOptions';
    const max = options.getMax();
    const multiplier = options.getCheckpointintervalmultiplier();
    throw invalidArgument(
      `'{ "max": ${max}, "checkpointIntervalMultiplier": ${multiplier} }' is not a valid ${kind}`,
    );
  }
  const subject = (event: StoredEvent) => (by_stream === undefined ? event.type : event.stream);
  const regex = expression.getRegex();
  if (regex === '') {
    const prefixes = expression.getPrefixList();
    return (event) => prefixes.some((prefix) => subject(event).startsWith(prefix));
  }
  const pattern = parseRegex(regex);
  return (event) => pattern.test(subject(event));
}

function parseRegex(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    throw handlerThrew();
  }
}

function uuidForm(option: streams.ReadReq.Options.UUIDOption | undefined): UuidForm | undefined {
  if (option?.hasString()) return 'string';
  return option?.hasStructured() ? 'structured' : undefined;
}

export const unreadable = (result: string): Error =>
  grpcError(status.UNKNOWN, `Unexpected ${result}: Error`);
