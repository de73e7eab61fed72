import { GROUPS, REQUEST_TOPICS } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import type { MessageBus, PartitionPosition } from '#libs/message-bus';
import { READ_SCHEMA } from '#libs/read-models';
import type { Pool } from 'pg';
import { EXIT, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { coordinateText, eventText } from '../coordinates.js';
import { coordinateSet } from './coordinate-set.js';
import { checkDeadLetters } from './dead-letter-check.js';
import { newFindings, type Findings } from './findings.js';
import { checkReadModels } from './read-model-check.js';
import { decideRecentAgain } from './recent-again.js';
import { inReadView, type ReadView } from '../read-view.js';
import { checkRequests } from './request-check.js';
import { checkpointIn, type VerifiedCheckpoint } from '../checkpoint.js';
import { followStreams, recentDecisions } from './stream-check.js';
import { fieldsOf, newStreamHeads, type StreamHeads } from './stream-heads.js';
import { reportVerified, type Verified } from './report.js';

interface VerifyPorts {
  readonly bus: Pick<MessageBus, 'scan' | 'positions'>;
  readonly store: Pick<EventReader, 'readAll' | 'holds'>;
  readonly pool: Pool;
}

interface VerifyOptions {
  readonly schema?: string;
  readonly clock: () => number;
}

/**
 * Compares bus, streams, read models and invoices while all of them go on. The order matters: what a
 * writer has committed now is decided by now, so it stands in events that are read later.
 */
export async function verify(
  { bus, store, pool }: VerifyPorts,
  { schema = READ_SCHEMA, clock }: VerifyOptions,
  out: Output,
): Promise<ExitCode> {
  const started_ms = clock();
  const findings = newFindings(out);
  const positions = await bus.positions(GROUPS.writer, REQUEST_TOPICS);
  const letters = await checkDeadLetters(bus, queryOf(pool), findings);
  const verified = await inReadView(pool, async (view): Promise<Verified> => {
    const checkpoint = await checkpointIn(view, schema);
    const streams = newStreamHeads(coordinateSet(positions));
    await checkStreams(store, checkpoint, streams, findings, out);
    const recent = await recentDecisions(store, checkpoint.position, streams, {
      view,
      schema,
      findings,
    });
    const followed = { streams: streams.heads.size, events: streams.events };
    const { price_books } = recent;
    const { sums, accounts } = await checkReadModels(
      { view, schema, streams, price_books, ahead: recent.streams, findings },
      checkpoint,
      out,
    );
    const { broken } = streams;
    const again = { accounts, broken, price_books, findings };
    await decideRecentAgain(store, checkpoint.position, recent, again);
    const progress = out.progress('requests', messagesIn(positions));
    const requests = await checkRequests(bus, {
      view,
      schema,
      recent: recent.decisions,
      unfiled: letters.unfiled,
      positions,
      sources: streams.sources,
      findings,
      progress,
    }).finally(() => progress.stop());
    await checkSources(bus, store, streams, findings);
    return { checkpoint, followed, recent, read_models: sums, requests };
  });
  reportVerified(verified, findings, (clock() - started_ms) / 1_000, out);
  return findings.count === 0 ? EXIT.fine : EXIT.mismatch;
}

const queryOf =
  (pool: Pool): ReadView['query'] =>
  async <Row extends object>(text: string, values: unknown[] = []) =>
    (await pool.query<Row>(text, values)).rows;

const messagesIn = (positions: readonly PartitionPosition[]): number =>
  positions.reduce((sum, { begin, end }) => sum + end - begin, 0);

async function checkStreams(
  store: VerifyPorts['store'],
  checkpoint: VerifiedCheckpoint,
  streams: StreamHeads,
  findings: Findings,
  out: Output,
): Promise<void> {
  const { position, event_id, events } = checkpoint;
  if (position === null) return;
  const left = `position ${position}, event ${event_id}`;
  if (!(await store.holds({ position, event_id }))) {
    const detail = 'the event store has another event there: it lost its tail, or is another store';
    findings.add({ check: 'checkpoint_differs', detail, left, right: 'read.checkpoint' });
    return;
  }
  const progress = out.progress('streams', events);
  await followStreams(store, position, streams, findings, progress).finally(() => progress.stop());
  if (streams.events === events || streams.broken.size > 0) return;
  const detail = `${streams.events} events up to there, the read models count ${events}`;
  findings.add({ check: 'checkpoint_differs', detail, left, right: 'read.checkpoint' });
}

/** What is left are events whose message is still on the bus, but is not their request. */
async function checkSources(
  bus: VerifyPorts['bus'],
  store: VerifyPorts['store'],
  { sources }: StreamHeads,
  findings: Findings,
): Promise<void> {
  const begins = new Map<string, number>();
  for (const at of await bus.positions(GROUPS.writer, REQUEST_TOPICS)) {
    begins.set(`${at.topic}/${at.partition}`, at.begin);
  }
  const orphans = new Set<string>();
  for (const source of sources.values()) {
    // What was deleted by its retention meanwhile was not there to be found.
    if (source.offset < begins.get(`${source.topic}/${source.partition}`)!) continue;
    orphans.add(coordinateText(source));
  }
  if (orphans.size === 0) return;
  const range = { prefix: '', after: null, batch_size: 2_000 };
  for await (const batch of store.readAll(range)) {
    for (const { stream, revision, data } of batch) {
      const source = fieldsOf(data)?.source;
      const right = source && coordinateText(source);
      if (right === undefined || !orphans.delete(right)) continue;
      const detail = 'the message that it says it decided is not its request';
      findings.add({
        check: 'event_without_request',
        detail,
        left: eventText(stream, revision),
        right,
      });
    }
  }
}
