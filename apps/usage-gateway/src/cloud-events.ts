import {
  about,
  AccountId,
  InstantInput,
  normaliseItems,
  OperationId,
  usageFields,
  type RequestId,
  type UsageItem,
} from '#libs/contracts';
import { hash } from 'node:crypto';
import { z } from 'zod';
import { MAX_BATCH, type UsageBody } from './bodies.js';

/** Control characters and halves of surrogate pairs: CloudEvents has none of them in a string. */
const UNSAYABLE = /[\p{Cc}\p{Cs}]/u;
const attribute = z
  .string()
  .min(1)
  .max(2_048)
  .refine((text) => !UNSAYABLE.test(text), 'must hold no control character and no lone surrogate');
const JSON_TYPE = /^application\/(.+\+)?json *(;|$)/i;

/** Usage as a CloudEvent 1.0. Extension attributes are let through and left unread. */
export const UsageEvent = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: attribute.meta({ description: 'Unique together with source', example: '8f1c' }),
    source: attribute.meta({ description: 'Who says so', example: '/renderer/eu-1' }),
    type: attribute.meta({ description: 'The operation', example: 'image.generation' }),
    subject: AccountId.meta({ description: 'The account', example: 'acct-0001' }),
    time: InstantInput.optional().meta({ description: 'When it happened. Default: now' }),
    datacontenttype: z.string().regex(JSON_TYPE, 'must be JSON').optional(),
    data_base64: z.never('is not read: send the data as JSON in data').optional(),
    data: z
      .strictObject({ items: usageFields.items, quantity: usageFields.quantity, ...about })
      .optional()
      .meta({ description: 'quantity of the operation (default 1), or items instead of it' }),
  })
  .transform((event, context): UsageBody => {
    const { source, id, subject, time, data = {} } = event;
    const { items, quantity, ...rest } = data;
    const used = {
      items,
      quantity,
      operation: items ? undefined : operationOf(event.type, context),
    };
    return {
      account_id: subject,
      request_id: requestIdOf(source, id),
      ...(time !== undefined && { occurred_at: time }),
      ...rest,
      items: itemsOf(used, context),
    };
  })
  .meta({
    id: 'UsageEvent',
    description:
      'CloudEvents 1.0 in the structured form. A member that is null is as if it were not there',
    example: {
      specversion: '1.0',
      id: '8f1c',
      source: '/renderer/eu-1',
      type: 'image.generation',
      subject: 'acct-0001',
      time: '2026-01-31T12:00:00Z',
      data: { quantity: 2 },
    },
  });
export type UsageEvent = z.input<typeof UsageEvent>;

/** The event without what is null: the JSON format of CloudEvents says that it is unset. */
export function withoutNulls(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  const members = Object.entries(event);
  const set = members.filter(([, value]) => value !== null);
  return set.length === members.length ? event : Object.fromEntries(set);
}

function operationOf(type: string, context: z.RefinementCtx): OperationId | undefined {
  const operation = OperationId.safeParse(type);
  if (operation.success) return operation.data;
  const message = operation.error.issues[0]!.message;
  context.addIssue({ code: 'custom', path: ['type'], message });
  return undefined;
}

function itemsOf(
  used: {
    items?: UsageItem[] | undefined;
    quantity?: number | undefined;
    operation?: OperationId | undefined;
  },
  context: z.RefinementCtx,
): UsageItem[] {
  if (used.items && used.quantity !== undefined) {
    const message = 'give either items or quantity, not both';
    context.addIssue({ code: 'custom', path: ['data', 'quantity'], message });
    return z.NEVER;
  }
  if (!used.items && used.operation === undefined) return z.NEVER;
  return normaliseItems(used, context).items;
}

/** Of none, too: the batch format of CloudEvents allows it. */
const batchOf = (event: z.ZodType) => z.array(event).max(MAX_BATCH);
export const UsageEventBatch = batchOf(z.unknown());

/** One event or many: the content type says which, and each is looked at by itself. */
export const EventsBody = z
  .unknown()
  .meta({ described_by: z.union([UsageEvent, batchOf(UsageEvent)]).meta({ id: 'UsageEvents' }) });

/**
 * `ce:` + 32 hex characters of SHA-256 over source, NUL, id: a CloudEvents id is unique only with its
 * source.
 */
export const requestIdOf = (source: string, id: string): RequestId =>
  `ce:${hash('sha256', `${source}\0${id}`, 'hex').slice(0, 32)}` as RequestId;
