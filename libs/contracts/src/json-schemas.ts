import { z } from 'zod';
import { DEAD_LETTER_SCHEMA, DeadLetter } from './dead-letters.js';
import { Decision } from './decisions.js';
import {
  CreditsExpired,
  CreditsGranted,
  EVENT_SCHEMA,
  GrantActivated,
  GrantRejected,
  PriceBookPublished,
  PriceBookRejected,
  UsageConsumed,
  UsageRejected,
} from './events.js';
import {
  CreditsGrantRequested,
  PriceBookPublishRequested,
  REQUEST_SCHEMA,
  SweepRequested,
  UsageRequested,
} from './requests.js';

const requests = {
  UsageRequested,
  CreditsGrantRequested,
  SweepRequested,
  PriceBookPublishRequested,
};

const events = {
  UsageConsumed,
  UsageRejected,
  CreditsGranted,
  GrantRejected,
  GrantActivated,
  CreditsExpired,
  PriceBookPublished,
  PriceBookRejected,
};

/** A decision has no version of its own: it restates an event. */
const answers = { Decision };

const versioned = (types: Record<string, z.ZodType>, version: number) =>
  Object.entries(types).map(
    ([name, type]) => [`${name}.v${version}`, schemaOf(name, type)] as const,
  );

/** As it stands on the wire, credits as strings. What one field cannot say (both or one of two) is not in it. */
const schemaOf = (title: string, type: z.ZodType) => {
  const { $schema, ...schema } = z.toJSONSchema(type, { io: 'input' });
  return { $schema, title, ...schema };
};

/** JSON Schema (2020-12) of every message and event, by type and version: `UsageRequested.v1`. */
export const jsonSchemas = (): Record<string, object> =>
  Object.fromEntries([
    ...versioned(requests, REQUEST_SCHEMA),
    ...versioned(events, EVENT_SCHEMA),
    ...versioned(answers, EVENT_SCHEMA),
    ...versioned({ DeadLetter }, DEAD_LETTER_SCHEMA),
  ]);
