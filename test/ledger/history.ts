import {
  decisionOf,
  decodeRequest,
  encodeEvent,
  fingerprintOf,
  GENESIS,
  linkEvent,
  type AccountEvent,
  type AccountRequest,
  type Decision,
  type Instant,
  type LinkedEvent,
  type StreamHead,
} from '#libs/contracts';
import {
  copyAccount,
  decide,
  evolve,
  initialAccount,
  type Account,
  type Context,
  type Verdict,
} from '#libs/ledger';
import { COMMAND_PRICES, type Sent } from './commands.js';
import { deepFreeze } from './given.js';
import type { Command } from './model.js';
import { ACCOUNT, NOON, TENANT } from './requests.js';

/** One request, decided. */
export interface Step {
  readonly request: AccountRequest;
  readonly context: Context;
  readonly before: Account;
  readonly verdict: Verdict;
  readonly events: readonly AccountEvent[];
  /** The account after it. */
  readonly after: Account;
}

/** All that a stream and its reader know. */
export interface History {
  account: Account;
  head: StreamHead;
  readonly decided: Map<string, Decision>;
  readonly linked: LinkedEvent[];
  readonly steps: Step[];
}

export const emptyHistory = (): History => ({
  account: initialAccount(TENANT, ACCOUNT),
  head: GENESIS,
  decided: new Map(),
  linked: [],
  steps: [],
});

/** Decides all that was sent, one by one, as the writer does; an account given to decide is frozen. */
export function play(sent: readonly Sent[], history: History = emptyHistory()): History {
  for (const { command, stamp } of sent) {
    const offset = history.steps.length;
    const request = requestOf(command, offset);
    const last = history.account.now;
    const context: Context = {
      now: last !== null && last > stamp ? last : (stamp as Instant),
      price_book: COMMAND_PRICES,
      source: { topic: 'ledger.requests', partition: 0, offset },
      fingerprint: fingerprintOf(request),
    };
    const before = deepFreeze(copyAccount(history.account));
    const prior = history.decided.get(request.request_id);
    const verdict = decide(request, before, prior, context);
    const events = verdict.kind === 'recorded' ? verdict.events : [];
    for (const event of events) record(history, event);
    const after = copyAccount(history.account);
    history.steps.push({ request, context, before, verdict, events, after });
  }
  return history;
}

export function record(history: History, event: AccountEvent): void {
  evolve(history.account, event);
  const { event: linked, head } = linkEvent(history.head, event.type, encodeEvent(event));
  history.linked.push(linked);
  history.head = head;
  if (event.type === 'GrantActivated' || event.type === 'CreditsExpired') return;
  history.decided.set(event.request_id, decisionOf(event, head.revision));
}

/** Through the wire, as a caller writes it. */
export function requestOf(command: Command, offset: number): AccountRequest {
  const envelope = {
    schema: 1,
    tenant_id: TENANT,
    account_id: ACCOUNT,
    request_id: command.id,
    occurred_at: NOON,
    metadata: { attempt: `${offset}` }, // may differ when a request comes again
  };
  return decodeRequest(
    JSON.stringify({ ...envelope, ...wireFields(command) }),
    NOON,
  ) as AccountRequest;
}

function wireFields(command: Command): object {
  switch (command.kind) {
    case 'usage': {
      const items = command.items.map(([operation, quantity]) => ({ operation, quantity }));
      return { type: 'UsageRequested', items };
    }
    case 'grant': {
      const { kind: _kind, id: _id, credits, ...terms } = command;
      return { type: 'CreditsGrantRequested', kind: 'pack', credits: `${credits}`, ...terms };
    }
    case 'sweep':
      return { type: 'SweepRequested' };
  }
}

/** An event in the model's words. */
export function lineOf(event: AccountEvent): string {
  switch (event.type) {
    case 'UsageConsumed': {
      const burnt = event.allocations.map(({ grant_id, credits }) => `${grant_id}:${credits}`);
      return `consumed ${event.credits} from ${burnt.join(',')}`;
    }
    case 'UsageRejected': {
      const why = [event.operation, event.price, event.shortfall].filter((x) => x !== undefined);
      return ['rejected', event.reason, ...why].join(' ');
    }
    case 'CreditsGranted':
      return `granted ${event.credits}${event.state === 'scheduled' ? ' scheduled' : ''}`;
    case 'GrantRejected':
      return `rejected ${event.reason}`;
    case 'GrantActivated':
      return `started ${event.grant_id} ${event.credits}`;
    case 'CreditsExpired':
      return `expired ${event.grant_id} ${event.credits}`;
  }
}
