import { encodeRequest, instantOf, type DeadLetterReason } from '#libs/contracts';
import type { OutgoingMessage } from '#libs/message-bus';
import { DEV_TENANT } from '#libs/platform';
import { usageMessage } from './bus.js';

export interface Poison {
  /** Travels in its header `poison`. */
  readonly name: string;
  readonly reason: DeadLetterReason;
  readonly message: OutgoingMessage;
}

export const POISON_HEADER = 'poison';

/** One of every kind of message that cannot be decided, for the topic of usage. */
export function poisonOf(account_id: string): Poison[] {
  const usage = { account_id, request_id: 'free', operation: 'video.generation' };
  const poison = (
    name: string,
    reason: DeadLetterReason,
    wrong: Parameters<typeof usageMessage>[1],
  ): Poison => ({
    name,
    reason,
    message: { ...usageMessage(usage, wrong), headers: { [POISON_HEADER]: name } },
  });
  return [
    poison('no value', 'undecodable', { value: null }),
    poison('empty', 'undecodable', { value: '' }),
    poison('half of a JSON', 'undecodable', { value: '{"schema":1,' }),
    poison('not UTF-8', 'undecodable', { value: Buffer.from([0x7b, 0xff, 0xfe, 0x00, 0x7d]) }),
    poison('a list', 'invalid_request', { value: '[]' }),
    poison('null', 'invalid_request', { value: 'null' }),
    poison('no fields', 'invalid_request', { value: '{}' }),
    poison('an unknown type', 'invalid_request', { fields: { type: 'FreeCredits' } }),
    poison('no request_id', 'invalid_request', { fields: { request_id: undefined } }),
    poison("the ledger's own id", 'invalid_request', { fields: { request_id: 'sys:free' } }),
    poison('a negative quantity', 'invalid_request', { fields: { quantity: -5 } }),
    poison('a field too many', 'invalid_request', { fields: { credits: '0' } }),
    poison('a key __proto__', 'invalid_request', {
      fields: { metadata: JSON.parse('{"__proto__":"x"}') as object },
    }),
    poison('a schema of the future', 'unknown_schema', { fields: { schema: 2 } }),
    poison("another account's key", 'wrong_key', { key: `${DEV_TENANT}/somebody-else` }),
    poison('an empty key', 'wrong_key', { key: '' }),
    poison('no key', 'wrong_key', { key: null }),
    poison('a minted grant', 'wrong_topic', { value: mintedGrant(account_id) }),
    poison('tomorrow', 'occurred_in_future', {
      fields: { occurred_at: instantOf(Date.now() + 86_400_000) },
    }),
    poison('far too large', 'too_large', { value: JSON.stringify({ x: 'x'.repeat(400_000) }) }),
  ];
}

const mintedGrant = (account_id: string): string =>
  encodeRequest({
    schema: 1,
    type: 'CreditsGrantRequested',
    tenant_id: DEV_TENANT,
    account_id,
    request_id: 'free',
    occurred_at: instantOf(Date.now()),
    credits: '1000000',
    kind: 'promo',
  });
