import {
  accountKey,
  accountStream,
  type DeadLetterReason,
  type MessageCoordinate,
} from '#libs/contracts';
import { int4Array, int8Array, textArray, uuidArray } from '#libs/platform';
import { entryKey, OPS_SCHEMA, schemaName } from '#libs/read-models';
import { coordinateText, eventText } from '../coordinates.js';
import type { ReadView } from '../read-view.js';
import type { FoundDecision } from './request-outcome.js';
import { isComparedWithRequest } from './request-terms.js';
import type { DecidedRequest } from './stream-heads.js';

interface RequestIds {
  readonly tenant_id: string;
  readonly account_id: string;
  readonly request_id: string;
}

/** 32 hex characters. */
export const requestKey = ({ tenant_id, account_id, request_id }: RequestIds): string =>
  entryKey(tenant_id, account_id, request_id);

/** Decisions that the read models do not hold yet, by requestKey. */
export type RecentDecisions = Map<string, FoundDecision>;

/** The decisions of these requests in the read models, by requestKey. */
export async function decisionsInView(
  view: ReadView,
  schema: string,
  keys: readonly string[],
): Promise<Map<string, FoundDecision>> {
  if (keys.length === 0) return new Map();
  const rows = await view.query<{
    key: string;
    tenant_id: string;
    account_id: string;
    revision: bigint;
    data: string;
  }>(
    `select encode(uuid_send(e.key), 'hex') as key, e.tenant_id, e.account_id, e.revision, e.data
     from ${schemaName(schema)}.entries e where e.key = any($1::uuid[])`,
    [uuidArray(keys)],
  );
  return new Map(
    rows.map(({ key, tenant_id, account_id, revision, data }) => {
      const stream = accountStream(accountKey(tenant_id, account_id));
      return [key, foundDecision(JSON.parse(data), eventText(stream, Number(revision)), data)];
    }),
  );
}

export const foundDecision = (
  { type, source, fingerprint, occurred_at }: DecidedRequest,
  place: string,
  data: string,
): FoundDecision => ({
  source,
  fingerprint,
  occurred_at,
  place,
  ...(isComparedWithRequest(type) && { compared: data }),
});

/** Why these messages are dead letters, by coordinate text; those that are filed. */
export async function filedDeadLetters(
  view: Pick<ReadView, 'query'>,
  coordinates: readonly MessageCoordinate[],
): Promise<Map<string, DeadLetterReason>> {
  const rows = await view.query<MessageCoordinate & { reason: DeadLetterReason }>(
    `select d.topic, d.partition, d."offset", d.reason
     from unnest($1::text[], $2::int4[], $3::int8[]) q(topic, partition, "offset")
     join ${OPS_SCHEMA}.dead_letters d using (topic, partition, "offset")`,
    [
      textArray(coordinates.map(({ topic }) => topic)),
      int4Array(coordinates.map(({ partition }) => partition)),
      int8Array(coordinates.map(({ offset }) => offset)),
    ],
  );
  return new Map(rows.map(({ reason, ...coordinate }) => [coordinateText(coordinate), reason]));
}
