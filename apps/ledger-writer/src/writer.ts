import {
  deadLetterOf,
  encodeDeadLetter,
  encodeDecision,
  fittingDeadLetter,
  instantOf,
  REPLY_TO_HEADER,
  TOPICS,
  VersionConflict,
  WrittenByNewer,
  type AccountKey,
  type AccountRequest,
  type InvariantBroken,
} from '#libs/contracts';
import type { EventStore } from '#libs/event-store';
import type { BatchControl, MessageBus, OutgoingMessage, ReceivedMessage } from '#libs/message-bus';
import { appendUntilDefinite, type DefiniteResult } from './appending.js';
import { catchUp, openDesks, type Desk, type DeskPorts, type Waiting } from './desks.js';
import { sortMessages, type Intake, type Refusal } from './intake.js';
import { decidePublication } from './price-book-desk.js';
import type { PriceBookShelf } from './price-book-shelf.js';
import type { Index } from './read-side.js';
import { decideRound, type Answer, type Round, type RoundContext } from './round.js';

/** A broker's clock that is this far ahead would decide in the future: the partition stops. */
const MAX_RECORD_AHEAD_MS = 10 * 60_000;
/** So often may other writers overtake this one within a batch before it is delivered again. */
const MAX_CONFLICTS = 20;

export interface WriterPorts extends DeskPorts {
  readonly store: EventStore;
  readonly bus: Pick<MessageBus, 'publish'>;
  readonly shelf: PriceBookShelf;
  /** Told of every batch that is done. */
  readonly observe: (outcome: Outcome) => void;
  /** Wall clock in epoch milliseconds: it judges the broker's and decides nothing. */
  readonly clock: () => number;
}

/** What a batch comes to; published once every append of it stands. */
export interface Outcome {
  readonly answers: Answer[];
  readonly refused: Refusal[];
  /** From taking the batch to its being durable. */
  seconds: number;
}

/**
 * Decides a batch: look up → decide → append → publish. Returns when everything is durable; only then
 * are the offsets committed. Throws = undecided, the batch comes again; a crash anywhere in between
 * repeats the step and finds the original decisions.
 */
export async function handleBatch(
  messages: readonly ReceivedMessage[],
  control: BatchControl,
  ports: WriterPorts,
): Promise<void> {
  const began = performance.now();
  refuseFutureRecords(messages, ports.clock());
  const sorted = sortMessages(messages);
  const outcome: Outcome = { answers: [], refused: [...sorted.refused], seconds: 0 };
  await decideAccounts(sorted.accounts, control, ports, outcome);
  for (const intake of sorted.price_books) {
    outcome.answers.push(await decidePublication(intake, ports, control));
  }
  await publish(outcome, ports.bus);
  outcome.seconds = (performance.now() - began) / 1_000;
  ports.observe(outcome);
}

function refuseFutureRecords(messages: readonly ReceivedMessage[], now_ms: number): void {
  const latest = instantOf(now_ms + MAX_RECORD_AHEAD_MS);
  for (const { topic, partition, offset, timestamp } of messages) {
    if (timestamp <= latest) continue;
    throw new Error(
      `${topic}/${partition}@${offset} is stamped ${timestamp}, more than 10 minutes ahead of ` +
        'this clock: check the clocks of broker and writer',
    );
  }
}

async function decideAccounts(
  intakes: readonly Intake<AccountRequest>[],
  control: BatchControl,
  ports: WriterPorts,
  outcome: Outcome,
): Promise<void> {
  if (intakes.length === 0) return;
  const tenants = new Set(intakes.map(({ request }) => request.tenant_id));
  await ports.shelf.refresh(tenants, control.signal);
  const index: Index = new Map();
  const context = {
    index,
    limits: ports.store.limits,
    price_book_at: ports.shelf.at.bind(ports.shelf),
  };
  let open = await openDesks(byAccount(intakes), index, ports, control);
  for (let conflicts = 0; open.length > 0;) {
    const rounds = await decideOpen(open, context, ports, outcome);
    await control.heartbeat();
    const overtaken: Waiting = new Map();
    open = [];
    for (const { round, result } of await appendRounds(rounds, ports, control)) {
      const { known, waiting } = round.desk;
      if (result.kind === 'conflict') {
        overtaken.set(known.key, waiting);
        continue;
      }
      outcome.answers.push(...round.answers);
      const rest = waiting.slice(round.taken);
      if (round.broken) await park({ ...round.desk, waiting: rest }, round.broken, ports, outcome);
      else if (rest.length > 0) open.push({ ...round.desk, waiting: rest });
      else ports.cache.put(known);
    }
    if (overtaken.size === 0) continue;
    conflicts += 1;
    if (conflicts > MAX_CONFLICTS)
      throw new VersionConflict('overtaken by other writers too often');
    await ports.pause(Math.random() * conflicts * 5, control.signal);
    open.push(...(await catchUp(overtaken, index, ports, control)));
  }
}

async function decideOpen(
  open: readonly Desk[],
  context: RoundContext,
  ports: WriterPorts,
  outcome: Outcome,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (const desk of open) {
    if (desk.parked) refuseAll(desk.waiting, outcome);
    else if (desk.broken) await park(desk, desk.broken, ports, outcome);
    else rounds.push(decideRound(desk, context));
  }
  return rounds;
}

/** Appends every round that has events; one without any stands by itself. */
async function appendRounds(
  rounds: readonly Round[],
  ports: WriterPorts,
  control: BatchControl,
): Promise<{ round: Round; result: DefiniteResult }[]> {
  const appends = rounds.map(({ append }) => append).filter(({ events }) => events.length > 0);
  const results = appends.length > 0 ? await appendUntilDefinite(ports, appends, control) : [];
  let next = 0;
  return rounds.map((round) => {
    const { events, expected_revision: revision } = round.append;
    const result = events.length > 0 ? results[next++]! : ({ kind: 'appended', revision } as const);
    return { round, result };
  });
}

/**
 * Takes an account that contradicts itself out of service: its request and all later ones become dead
 * letters, to be redriven in order after the fix. Every other account goes on. What a newer version wrote
 * is no contradiction: the batch waits for a writer that can read it.
 */
async function park(
  { known, waiting }: Desk,
  broken: InvariantBroken,
  ports: WriterPorts,
  outcome: Outcome,
): Promise<void> {
  if (broken instanceof WrittenByNewer) throw broken;
  const [first, ...later] = waiting;
  const { tenant_id, account_id } = known.account;
  const { source, message } = first!;
  const reason = broken.message;
  await ports.read_side.park({ tenant_id, account_id, reason, source });
  outcome.refused.push({ message, reason: 'unprocessable', detail: reason });
  refuseAll(later, outcome);
}

function refuseAll(intakes: readonly Intake<AccountRequest>[], outcome: Outcome): void {
  for (const { message, key } of intakes) {
    const detail = `${key} is parked until it is repaired`;
    outcome.refused.push({ message, reason: 'account_parked', detail });
  }
}

function byAccount(intakes: readonly Intake<AccountRequest>[]): Waiting {
  const waiting = new Map<AccountKey, Intake<AccountRequest>[]>();
  for (const intake of intakes) {
    const queue = waiting.get(intake.key);
    if (queue) queue.push(intake);
    else waiting.set(intake.key, [intake]);
  }
  return waiting;
}

async function publish(outcome: Outcome, bus: WriterPorts['bus']): Promise<void> {
  const decisions = outcome.answers.map(decisionMessage);
  const letters = [...outcome.refused, ...outcome.answers.flatMap(conflictRefusal)];
  await Promise.all([
    decisions.length > 0 && bus.publish(TOPICS.decisions, decisions),
    letters.length > 0 && bus.publish(TOPICS.dead_letters, letters.map(deadLetterMessage)),
  ]);
}

const decisionMessage = ({ intake, decision }: Answer): OutgoingMessage => ({
  key: intake.key,
  value: encodeDecision(decision),
  ...(intake.reply_to !== undefined && { headers: { [REPLY_TO_HEADER]: intake.reply_to } }),
});

/** The same id with other content is answered, and kept where a person sees it. */
function conflictRefusal({ intake, decision }: Answer): Refusal[] {
  if (decision.outcome !== 'conflict') return [];
  const detail = `request ${decision.request_id} was first decided as ${decision.original_fingerprint}, this is ${decision.fingerprint}`;
  return [{ message: intake.message, reason: 'conflict', detail }];
}

function deadLetterMessage({ message, reason, detail }: Refusal): OutgoingMessage {
  const letter = fittingDeadLetter(deadLetterOf(message, reason, detail));
  return { key: letter.key, value: encodeDeadLetter(letter) };
}
