/**
 * A second ledger, written from the rules alone, that shares no code with libs/ledger: no event is
 * folded and no state kept but a journal per grant. What counts at a moment follows from the moment.
 */

/** A request as the model reads it; instants are ISO text, credits bigint. */
export type Command =
  | { kind: 'usage'; id: string; items: [operation: string, quantity: number][] }
  | {
      kind: 'grant';
      id: string;
      credits: bigint;
      priority?: number;
      effective_at?: string;
      expires_at?: string;
    }
  | { kind: 'sweep'; id: string };

export interface ModelPrice {
  readonly credits: bigint;
  readonly per: bigint;
  readonly rounding: 'up' | 'down' | 'half_even';
  readonly fixed: bigint;
}

/** What must be recorded and answered, as lines of text. */
export interface Expected {
  readonly recorded: string[];
  readonly answer: string;
  readonly available: bigint;
}

interface Lot {
  id: string;
  burn_key: string;
  from: string;
  until: string;
  started: boolean;
  ended: boolean;
  journal: bigint[];
}

const NEVER = '~'; // sorts after every instant, as a space does before every character of an id
const LARGEST = 10n ** 15n;

export class ModelLedger {
  readonly #lots: Lot[] = [];
  readonly #first = new Map<string, { content: string; answer: string }>();
  #now = '';

  constructor(private readonly prices: ReadonlyMap<string, ModelPrice>) {}

  /** Decides a command that the broker stamped with this instant. */
  step(command: Command, stamp: string): Expected {
    const now = stamp > this.#now ? stamp : this.#now;
    const content = JSON.stringify(command, (_key, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    const first = this.#first.get(command.id);
    if (first) {
      const answer = first.content === content ? `again: ${first.answer}` : 'conflict';
      return { recorded: [], answer, available: this.#available(this.#now) };
    }
    const recorded = this.#fallDue(now);
    const answer = this.#answer(command, now, recorded);
    if (recorded.length > 0) this.#now = now;
    if (command.kind !== 'sweep') this.#first.set(command.id, { content, answer });
    return { recorded, answer, available: this.#available(now) };
  }

  #answer(command: Command, now: string, recorded: string[]): string {
    switch (command.kind) {
      case 'sweep':
        return recorded.length > 0 ? 'swept' : 'nothing_due';
      case 'usage':
        return tell(recorded, this.#use(command.items, now));
      case 'grant':
        return tell(recorded, this.#grant(command, now));
    }
  }

  #use(items: [string, number][], now: string): string {
    for (const [operation] of items) {
      if (!this.prices.has(operation)) return `rejected unknown_operation ${operation}`;
    }
    const price = items.reduce((sum, [operation, quantity]) => {
      return sum + costOf(BigInt(quantity), this.prices.get(operation)!);
    }, 0n);
    if (price > LARGEST) return 'rejected price_too_large';
    const available = this.#available(now);
    if (price > available) return `rejected insufficient_credits ${price} ${price - available}`;
    const burnt: string[] = [];
    let open = price;
    for (const lot of this.#counting(now)) {
      const part = open < left(lot) ? open : left(lot);
      if (part === 0n) continue;
      lot.journal.push(-part);
      burnt.push(`${lot.id}:${part}`);
      open -= part;
    }
    return `consumed ${price} from ${burnt.join(',')}`;
  }

  #grant(command: Extract<Command, { kind: 'grant' }>, now: string): string {
    const { id, credits, priority = 100 } = command;
    const from = command.effective_at ?? now;
    const until = command.expires_at ?? NEVER;
    const starts = from > now ? from : now;
    if (until <= starts) return 'rejected already_expired';
    const burn_key = [String(priority).padStart(4, '0'), until, now, id].join(' ');
    const started = from <= now;
    this.#lots.push({ id, burn_key, from, until, started, ended: false, journal: [credits] });
    return `granted ${credits}${started ? '' : ' scheduled'}`;
  }

  /** Starts and ends that nobody has recorded yet, by (instant, id, start before end). */
  #fallDue(now: string): string[] {
    const due: [instant: string, id: string, rank: number, line: string][] = [];
    for (const lot of this.#lots) {
      const credits = left(lot);
      if (credits === 0n) continue;
      if (!lot.started && lot.from <= now) {
        due.push([lot.from, lot.id, 0, `started ${lot.id} ${credits}`]);
        lot.started = true;
      }
      if (!lot.ended && lot.until <= now) {
        due.push([lot.until, lot.id, 1, `expired ${lot.id} ${credits}`]);
        lot.ended = true;
        lot.journal.push(-credits);
      }
    }
    return due
      .map(([instant, id, rank, line]) => ({ key: `${instant} ${id} ${rank}`, line }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ line }) => line);
  }

  #counting(now: string): Lot[] {
    return this.#lots
      .filter((lot) => lot.from <= now && now < lot.until)
      .sort((a, b) => (a.burn_key < b.burn_key ? -1 : 1));
  }

  #available(now: string): bigint {
    return this.#counting(now).reduce((sum, lot) => sum + left(lot), 0n);
  }
}

const left = (lot: Lot): bigint => lot.journal.reduce((sum, moved) => sum + moved, 0n);

function tell(recorded: string[], line: string): string {
  recorded.push(line);
  return line;
}

/** Floor of x + 1/2 for half_even, then one less when that was a tie that went to an odd number. */
export function costOf(quantity: bigint, { credits, per, rounding, fixed }: ModelPrice): bigint {
  const amount = quantity * credits;
  if (rounding === 'down') return amount / per + fixed;
  if (rounding === 'up') return (amount + per - 1n) / per + fixed;
  const half_up = (2n * amount + per) / (2n * per);
  const tie = (2n * amount + per) % (2n * per) === 0n;
  return (tie && half_up % 2n === 1n ? half_up - 1n : half_up) + fixed;
}
