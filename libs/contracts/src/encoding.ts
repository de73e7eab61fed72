import { z } from 'zod';
import { Decision } from './decisions.js';
import { ContractViolation, InvariantBroken } from './errors.js';
import { AccountEvent, PriceBookEvent, type LedgerEvent } from './events.js';
import { LedgerRequest, REQUEST_SCHEMA, type LedgerRequestInput } from './requests.js';

/**
 * The stored bytes of a value: JSON in the order in which the value was built, credits as decimal
 * strings. The value is built by one function per type, so equal values have equal bytes.
 */
export const encodeJson = (value: unknown): string => JSON.stringify(value, creditsAsText);

const creditsAsText = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

/** Throws InvariantBroken for what is not an account event: a reader never skips money. */
export const decodeAccountEvent = (data: string): AccountEvent =>
  decodeRecorded(AccountEvent, data);

/** Throws InvariantBroken for what is not a price-book event. */
export const decodePriceBookEvent = (data: string): PriceBookEvent =>
  decodeRecorded(PriceBookEvent, data);

export const encodeEvent = (event: LedgerEvent): string => encodeJson(event);

function decodeRecorded<T extends z.ZodType>(schema: T, data: string): z.output<T> {
  const result = schema.safeParse(JSON.parse(data));
  if (result.success) return result.data;
  throw new InvariantBroken(`an event cannot be read: ${z.prettifyError(result.error)}`);
}

export const encodeRequest = (request: LedgerRequestInput): string => encodeJson(request);

/** Throws ContractViolation with what is wrong, field by field. */
export function decodeRequest(value: string): LedgerRequest {
  const json = parseJson(value);
  const result = LedgerRequest.safeParse(json);
  if (result.success) return result.data;
  if (isOfAnotherSchema(json)) {
    throw new ContractViolation('unknown_schema', `schema must be ${REQUEST_SCHEMA}`);
  }
  throw new ContractViolation('invalid_request', z.prettifyError(result.error));
}

export const encodeDecision = (decision: Decision): string => encodeJson(decision);
export const decodeDecision = (value: string): Decision => Decision.parse(JSON.parse(value));

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new ContractViolation('undecodable', `not JSON: ${(error as Error).message}`);
  }
}

const isOfAnotherSchema = (json: unknown): boolean =>
  typeof json === 'object' &&
  json !== null &&
  'schema' in json &&
  typeof json.schema === 'number' &&
  json.schema !== REQUEST_SCHEMA;
