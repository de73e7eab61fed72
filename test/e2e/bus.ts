import { accountKey, encodeRequest, instantOf, REQUEST_SCHEMA, TOPICS } from '#libs/contracts';
import type { OutgoingMessage } from '#libs/message-bus';
import { DEV_TENANT } from '#libs/platform';
import type { Usage } from './asking.js';
import type { System } from './system.js';

/** A request as product services put it on the bus, with whatever is wrong with it. */
export function usageMessage(
  { account_id, ...usage }: Usage,
  wrong: Partial<OutgoingMessage> & { readonly fields?: object } = {},
): OutgoingMessage {
  const { fields, ...message } = wrong;
  const request = {
    schema: REQUEST_SCHEMA,
    type: 'UsageRequested',
    tenant_id: DEV_TENANT,
    account_id,
    occurred_at: instantOf(Date.now()),
    ...usage,
    ...fields,
  };
  return {
    key: accountKey(DEV_TENANT, account_id),
    value: encodeRequest(request as Parameters<typeof encodeRequest>[0]),
    ...message,
  };
}

/** Publishes past the gateway, in this order. */
export async function publish(
  system: System,
  messages: readonly OutgoingMessage[],
  topic: string = TOPICS.usage,
): Promise<void> {
  const engines = await system.openEngines();
  try {
    await engines.bus.publish(topic, messages);
  } finally {
    await engines.close();
  }
}
