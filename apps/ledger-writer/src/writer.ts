import {
  deadLetterOf,
  encodeDeadLetter,
  encodeDecision,
  fittingDeadLetter,
  instantOf,
  MAX_RECORD_AHEAD_MS,
  REPLY_TO_HEADER,
  TOPICS,
  VersionConflict,
  WrittenByNewer,
  type AccountRequest,
  type InvariantBroken,
} from '#libs/contracts';
import type { EventStore } from '#libs/event-store';
import type { BatchControl, MessageBus, OutgoingMessage, ReceivedMessage } from '#libs/message-bus';
import { appendUntilDefinite, type DefiniteResult } from './appending.js';
import { catchUp } from './catch-up.js';
import {
  decideAccount,
  refusedAsUnpriced,
  type AccountDecisions,
  type Answer,
} from './decide-account.js';
import {
  byAccount,
  refusedAsSetAside,
  sortMessages,
  type IncomingRequest,
  type Refusal,
  type RequestsByAccount,
} from './incoming-requests.js';
import type { OpenAccount } from './known-account.js';
import { openAccounts, type OpenAccountsPorts } from './open-accounts.js';
import { PriceBooksBroken, type PriceBookCache } from './price-book-cache.js';
import { publishPriceBook } from './publish-price-book.js';
import type { Index } from './read-side.js';

/** How often other writers may overtake this one within a batch before it is delivered again. */
const MAX_CONFLICTS = 20;

export interface WriterPorts extends OpenAccountsPorts {
  readonly store: EventStore;
  readonly bus: Pick<MessageBus, 'publish'>;
  readonly price_books: PriceBookCache;
  /** Called with every batch that is done. */
  readonly observe: (result: BatchResult) => void;
  /** Wall clock in epoch milliseconds: it judges the broker's and decides nothing. */
  readonly clock: () => number;
}

/** What the requests of a batch come to. */
interface Decided {
  readonly answers: readonly Answer[];
  readonly refused: readonly Refusal[];
}

/** What a batch came to, once all of it is durable and published. */
export interface BatchResult extends Decided {
  /** From taking the batch to its being durable. */
  readonly seconds: number;
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
  // Taken before the look: what was set aside after it was too far ahead for this batch as well.
  const now_ms = ports.clock();
  const set_aside = await ports.read_side.setAsideAmong(messages);
  refuseFutureRecords(messages, set_aside, now_ms);
  const sorted = sortMessages(messages);
  const decided = await decideAccounts(sorted.accounts, set_aside, control, ports);
  const answers = [...decided.answers];
  const refused = [...sorted.refused, ...decided.refused];
  for (const incoming of sorted.price_books) {
    if (set_aside.has(incoming.message)) {
      refused.push(refusedAsSetAside(incoming.message));
      continue;
    }
    try {
      answers.push(await publishPriceBook(incoming, ports, control));
    } catch (error) {
      if (!(error instanceof PriceBooksBroken)) throw error;
      refused.push(refusedAsUnpriced(incoming, error));
    }
  }
  await publish({ answers, refused }, ports.bus);
  ports.observe({ answers, refused, seconds: (performance.now() - began) / 1_000 });
}

/** A broker's clock that is far ahead would decide in the future: these wait, unless somebody set them aside. */
function refuseFutureRecords(
  messages: readonly ReceivedMessage[],
  set_aside: ReadonlySet<ReceivedMessage>,
  now_ms: number,
): void {
  const latest = instantOf(now_ms + MAX_RECORD_AHEAD_MS);
  for (const message of messages) {
    const { topic, partition, offset, timestamp } = message;
    if (timestamp <= latest || set_aside.has(message)) continue;
    throw new Error(
      `${topic}/${partition}/${offset} is stamped ${timestamp}, more than 10 minutes ahead of this ` +
        'clock: check the clocks of broker and writer; usage-ledger set-aside lists what waits for that',
    );
  }
}

async function decideAccounts(
  incoming: readonly IncomingRequest<AccountRequest>[],
  set_aside: ReadonlySet<ReceivedMessage>,
  control: BatchControl,
  ports: WriterPorts,
): Promise<Decided> {
  const answers: Answer[] = [];
  const refused: Refusal[] = [];
  if (incoming.length === 0) return { answers, refused };
  const tenants = new Set(incoming.map(({ request }) => request.tenant_id));
  const index: Index = new Map();
  const context = {
    index,
    set_aside,
    limits: ports.store.limits,
    price_book_at: ports.price_books.at.bind(ports.price_books),
  };
  await ports.price_books.refresh(tenants, control.signal);
  let open = await openAccounts(byAccount(incoming), index, ports, control);
  for (let conflicts = 0; open.length > 0;) {
    const decisions: AccountDecisions[] = [];
    for (const account of open) {
      if (account.parked) refused.push(...refusedAsParked(account.pending));
      else if (account.broken) refused.push(...(await park(account, account.broken, ports)));
      else decisions.push(decideAccount(account, context));
    }
    await control.heartbeat();
    const overtaken: RequestsByAccount = new Map();
    open = [];
    for (const { decided, result } of await appendDecisions(decisions, ports, control)) {
      const { account, broken } = decided;
      if (result.kind === 'conflict') {
        overtaken.set(account.known.key, account.pending);
        continue;
      }
      answers.push(...decided.answers);
      refused.push(...decided.refused);
      const done = decided.answers.length + decided.refused.length;
      const rest = { ...account, pending: account.pending.slice(done) };
      if (broken) refused.push(...(await park(rest, broken, ports)));
      else if (rest.pending.length > 0) open.push(rest);
      else ports.cache.put(account.known);
    }
    if (overtaken.size === 0) continue;
    conflicts += 1;
    if (conflicts > MAX_CONFLICTS)
      throw new VersionConflict('overtaken by other writers too often');
    await ports.pause(Math.random() * conflicts * 5, control.signal);
    // Others have moved these accounts on, perhaps to a time whose prices were not known before.
    await ports.price_books.refresh(tenants, control.signal);
    open.push(...(await catchUp(overtaken, index, ports, control)));
  }
  return { answers, refused };
}

/** Appends what was decided, in one call; decisions without an event need no append. */
async function appendDecisions(
  decisions: readonly AccountDecisions[],
  ports: WriterPorts,
  control: BatchControl,
): Promise<{ decided: AccountDecisions; result: DefiniteResult }[]> {
  const appends = decisions.map(({ append }) => append).filter(({ events }) => events.length > 0);
  const results = appends.length > 0 ? await appendUntilDefinite(ports, appends, control) : [];
  let next = 0;
  return decisions.map((decided) => {
    const { events, expected_revision: revision } = decided.append;
    const result = events.length > 0 ? results[next++]! : ({ kind: 'appended', revision } as const);
    return { decided, result };
  });
}

/**
 * Takes an account that contradicts itself out of service: its request and all later ones become dead
 * letters, to be redriven in order after the fix. Every other account goes on. What a newer version wrote
 * is no contradiction: the batch waits for a writer that can read it.
 */
async function park(
  { known, pending }: OpenAccount,
  broken: InvariantBroken,
  { read_side }: WriterPorts,
): Promise<Refusal[]> {
  if (broken instanceof WrittenByNewer) throw broken;
  const [first, ...later] = pending;
  const { tenant_id, account_id } = known.account;
  const { source, message } = first!;
  const reason = broken.message;
  await read_side.park({ tenant_id, account_id, reason, source });
  return [{ message, reason: 'unprocessable', detail: reason }, ...refusedAsParked(later)];
}

const refusedAsParked = (pending: OpenAccount['pending']): Refusal[] =>
  pending.map(({ message, key }) => ({
    message,
    reason: 'account_parked',
    detail: `${key} is parked until it is repaired`,
  }));

async function publish({ answers, refused }: Decided, bus: WriterPorts['bus']): Promise<void> {
  const decisions = answers.map(decisionMessage);
  const letters = [...refused, ...answers.flatMap(conflictRefusal)];
  await Promise.all([
    decisions.length > 0 && bus.publish(TOPICS.decisions, decisions),
    letters.length > 0 && bus.publish(TOPICS.dead_letters, letters.map(deadLetterMessage)),
  ]);
}

const decisionMessage = ({ incoming, decision }: Answer): OutgoingMessage => ({
  key: incoming.key,
  value: encodeDecision(decision),
  ...(incoming.reply_to !== undefined && { headers: { [REPLY_TO_HEADER]: incoming.reply_to } }),
});

/** The same id with other content is answered, and kept where a person sees it. */
function conflictRefusal({ incoming, decision }: Answer): Refusal[] {
  if (decision.outcome !== 'conflict') return [];
  const detail = `request ${decision.request_id} was first decided as ${decision.original_fingerprint}, this is ${decision.fingerprint}`;
  return [{ message: incoming.message, reason: 'conflict', detail }];
}

function deadLetterMessage({ message, reason, detail }: Refusal): OutgoingMessage {
  const letter = fittingDeadLetter(deadLetterOf(message, reason, detail));
  return { key: letter.key, value: encodeDeadLetter(letter) };
}
