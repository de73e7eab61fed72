import {
  accountKey,
  ContractViolation,
  decodeRequest,
  fingerprintOf,
  type DeadLetterReason,
  type LedgerRequest,
} from '#libs/contracts';
import type { MessageBus, PartitionPosition, ReceivedMessage } from '#libs/message-bus';
import type { Progress } from '../output.js';
import { coordinateText } from '../coordinates.js';
import type { CoordinateSet } from './coordinate-set.js';
import type { Findings } from './findings.js';
import type { ReadView } from '../read-view.js';
import {
  decisionsInView,
  filedDeadLetters,
  requestKey,
  type RecentDecisions,
} from './request-lookup.js';
import { REQUEST_OUTCOMES, requestOutcome, type RequestOutcome } from './request-outcome.js';
import { termsFault } from './request-terms.js';

interface RequestAudit {
  readonly view: ReadView;
  readonly schema: string;
  readonly recent: RecentDecisions;
  /** Dead letters that are not filed yet, by coordinate text. */
  readonly unfiled: ReadonlyMap<string, DeadLetterReason>;
  /** Where the writer's group stood before anything else was read, one per partition. */
  readonly positions: readonly PartitionPosition[];
  /** Messages that events say they decided; those found are taken out. */
  readonly sources: CoordinateSet;
  readonly findings: Findings;
  readonly progress: Progress;
}

export type RequestCounts = Record<RequestOutcome, number>;

/** Follows every request that is still on the bus to what became of it. */
export async function checkRequests(
  bus: Pick<MessageBus, 'scan'>,
  audit: RequestAudit,
): Promise<RequestCounts> {
  const counts = Object.fromEntries(REQUEST_OUTCOMES.map((name) => [name, 0])) as RequestCounts;
  const committed = new Map(
    audit.positions.map((at) => [`${at.topic}/${at.partition}`, at.committed ?? 0]),
  );
  let read = 0;
  for (const topic of new Set(audit.positions.map((at) => at.topic))) {
    for await (const messages of bus.scan(topic)) {
      await checkMessages(messages, committed, counts, audit);
      read += messages.length;
      audit.progress.at(read);
    }
  }
  return counts;
}

async function checkMessages(
  messages: readonly ReceivedMessage[],
  committed: ReadonlyMap<string, number>,
  counts: RequestCounts,
  audit: RequestAudit,
): Promise<void> {
  const requests = messages.map(readRequest);
  const keys = requests.map((request) => request && requestKey(request));
  const asked = keys.filter((key) => key !== undefined && !audit.recent.has(key)) as string[];
  const decisions = await decisionsInView(audit.view, audit.schema, asked);
  const filed = await filedDeadLetters(audit.view, messages);
  for (const [index, message] of messages.entries()) {
    const { topic, partition, offset } = message;
    const coordinate = { topic, partition, offset };
    const request = requests[index];
    const key = keys[index] ?? '';
    const found = audit.recent.get(key) ?? decisions.get(key);
    const outcome = requestOutcome(
      {
        coordinate,
        request: request && {
          type: request.type,
          fingerprint: fingerprintOf(request),
          occurred_at: request.occurred_at,
        },
        committed: offset < (committed.get(`${topic}/${partition}`) ?? 0),
      },
      found,
      filed.get(coordinateText(coordinate)) ?? audit.unfiled.get(coordinateText(coordinate)),
    );
    if (typeof outcome !== 'string') {
      audit.findings.add(outcome);
      audit.sources.delete(coordinate); // reported once
      continue;
    }
    counts[outcome] += 1;
    if (outcome !== 'decided') continue;
    audit.sources.delete(coordinate);
    const detail = found?.compared && termsFault(request!, found.compared);
    if (!detail) continue;
    const left = coordinateText(coordinate);
    audit.findings.add({ check: 'terms_differ', detail, left, right: found.place });
  }
}

/** Undefined for what the writer cannot take for a request either. */
function readRequest({ key, value, timestamp }: ReceivedMessage): LedgerRequest | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const request = decodeRequest(value, timestamp);
    return key === accountKey(request.tenant_id, request.account_id) ? request : undefined;
  } catch (error) {
    if (error instanceof ContractViolation) return undefined;
    throw error;
  }
}
