/** The log no longer holds the offset at which this group stands: never jump, a person decides. */
export class OffsetLost extends Error {
  override readonly name = 'OffsetLost';
  /** Read by kafkajs: the consumer ends instead of trying again. */
  readonly retriable = false;
}

/** A topic is not as the ledger needs it: partitions, timestamps or retention. */
export class TopicUnfit extends Error {
  override readonly name = 'TopicUnfit';
  readonly retriable = false;
}

export interface Refusal {
  readonly topic: string;
  /** The broker's name for it, such as INVALID_REPLICATION_FACTOR. */
  readonly type: string;
  readonly reason: string;
}

/** The brokers did not make some topics; one line of the message for each. */
export class TopicsRefused extends Error {
  override readonly name = 'TopicsRefused';
  constructor(
    readonly refusals: readonly Refusal[],
    options: ErrorOptions,
  ) {
    super(refusals.map((one) => `${one.topic}: ${one.reason} (${one.type})`).join('\n'), options);
  }
}

/** Another has taken the place of this consumer, or it is closing: it must not hold partitions. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
  readonly retriable = false;
}

// Trying again cannot fix these; a person must.
const FATAL_TYPES = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
]);
const FATAL_NAMES = new Set([
  'KafkaJSNotImplemented', // a compression that this client cannot read
  'KafkaJSSASLAuthenticationError',
  'KafkaJSServerDoesNotSupportApiKey',
  'OffsetLost',
  'TopicUnfit',
]);

/** The error, or the one that caused it, that a restart would only meet again. */
export function fatalCause(error: unknown): Error | undefined {
  return causesOf(error).find((one) => FATAL_NAMES.has(one.name) || FATAL_TYPES.has(typeOf(one)));
}

function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let one = error; one instanceof Error; one = one.cause) causes.push(one);
  return causes;
}

/** The broker's name for a protocol error. */
export const typeOf = (error: unknown): string => (error as { type?: string }).type ?? '';

const MISSING_TYPE = 'UNKNOWN_TOPIC_OR_PARTITION';
// The topic's leaders are others than the client thinks, or there is none just now.
const MOVED_TYPES = new Set([
  'FENCED_LEADER_EPOCH',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'UNKNOWN_LEADER_EPOCH',
  MISSING_TYPE,
]);
// One broker did not answer, or cannot be reached.
const BROKEN_NAMES = new Set(['KafkaJSConnectionClosedError', 'KafkaJSRequestTimeoutError']);
const AWAY_NAMES = new Set([...BROKEN_NAMES, 'KafkaJSConnectionError', 'KafkaJSLockTimeout']);

export const isMoved = (error: Error): boolean =>
  causesOf(error).some((one) => MOVED_TYPES.has(typeOf(one)));
/** Also of a partition, whose former leader says so: who leads says which. */
export const isMissing = (error: Error): boolean =>
  causesOf(error).some((one) => typeOf(one) === MISSING_TYPE);
export const isAway = (error: Error): boolean => AWAY_NAMES.has(error.name);

/** The broker whose connection cannot be used any more, from what kafkajs says in its error. */
export function brokenAddress(error: unknown): { host: string; port: number } | undefined {
  const { name, broker } = error as { name?: string; broker?: string };
  const colon = broker?.lastIndexOf(':') ?? -1;
  if (!BROKEN_NAMES.has(name ?? '') || broker === undefined || colon < 0) return undefined;
  return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
}
