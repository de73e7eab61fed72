import { z } from 'zod';
import { Decision } from './decisions.js';
import { ContractViolation } from './errors.js';
import { AccountEvent, PriceBookEvent, type LedgerEvent } from './events.js';
import { compiledEncoder, decodeRecorded, encodeJson, lazily } from './json.js';
import {
  LedgerRequest,
  REQUEST_SCHEMA,
  type LedgerRequestInput,
  type UnsentRequest,
} from './requests.js';
import type { Instant } from './time.js';

// Compiled schemas decide as the others do, in a fraction of the time; what they refuse is read again
// by the others, which say why.
const compiled = {
  AccountEvent: lazily(() => z.compile(AccountEvent, { strict: true })),
  LedgerRequest: lazily(() => z.compile(LedgerRequest, { strict: true })),
  Decision: lazily(() => z.compile(Decision, { strict: true })),
};

/** Throws InvariantBroken for what is not an account event: a reader never skips money. */
export const decodeAccountEvent = (data: string): AccountEvent =>
  decodeRecorded(compiled.AccountEvent(), data);

/** Throws InvariantBroken for what is not a price-book event. */
export const decodePriceBookEvent = (data: string): PriceBookEvent =>
  decodeRecorded(PriceBookEvent, data);

const encoders = new Map(
  [...AccountEvent.options, ...PriceBookEvent.options].map((schema) => [
    schema.shape.type.value as string,
    compiledEncoder(schema) as (event: LedgerEvent) => string,
  ]),
);

export const encodeEvent = (event: LedgerEvent): string => encoders.get(event.type)!(event);

export const encodeRequest = (request: UnsentRequest | LedgerRequestInput): string =>
  // Usage, which is most of them, holds no credits that would have to become text.
  request.type === 'UsageRequested' ? JSON.stringify(request) : encodeJson(request);

/**
 * A request that was received at a time of the broker's; it happened then when it does not say when. Throws
 * ContractViolation with what is wrong, field by field.
 */
export function decodeRequest(value: string, received_at: Instant): LedgerRequest {
  const request = decodeUnsent(value);
  request.occurred_at ??= received_at;
  return request as LedgerRequest;
}

/**
 * The text of a request that names its time, for one that is sent again: what was received in January is
 * not February's. Anything that is no request is left as it is.
 */
export function withTimeOf(value: string, received_at: Instant): string {
  try {
    if (decodeUnsent(value).occurred_at !== undefined) return value;
  } catch (error) {
    if (error instanceof ContractViolation) return value;
    throw error;
  }
  // In the text itself: parsed and written anew, it could differ elsewhere.
  return value.replace('{', `{"occurred_at":"${received_at}",`);
}

function decodeUnsent(value: string): UnsentRequest {
  const json = parseJson(value);
  const result = compiled.LedgerRequest().safeParse(json);
  if (result.success) return withoutLostKeys(json, result.data);
  if (isOfAnotherSchema(json)) {
    throw new ContractViolation('unknown_schema', `schema must be ${REQUEST_SCHEMA}`);
  }
  throw new ContractViolation('invalid_request', z.prettifyError(result.error));
}

export const encodeDecision = compiledEncoder(Decision);
/** Throws InvariantBroken for what is not a decision. */
export const decodeDecision = (value: string): Decision =>
  decodeRecorded(compiled.Decision(), value);

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new ContractViolation('undecodable', `not JSON: ${(error as Error).message}`);
  }
}

/** A JSON key `__proto__` is data, but a parser of records drops it without a word. */
function withoutLostKeys(json: unknown, request: UnsentRequest): UnsentRequest {
  const { metadata, prices } = json as { metadata?: object; prices?: object };
  if (metadata) refuseLostKey('metadata', metadata);
  if (prices) refuseLostKey('prices', prices);
  return request;
}

function refuseLostKey(field: string, record: object): void {
  if (!Object.hasOwn(record, '__proto__')) return;
  const message = `✖ must have no key __proto__\n  → at ${field}`;
  throw new ContractViolation('invalid_request', message);
}

const isOfAnotherSchema = (json: unknown): boolean =>
  typeof json === 'object' &&
  json !== null &&
  'schema' in json &&
  typeof json.schema === 'number' &&
  json.schema !== REQUEST_SCHEMA;
