import fc from 'fast-check';
import { MODEL_PRICES, sequences } from '../../../test/ledger/commands.js';
import { lineOf, play, type Step } from '../../../test/ledger/history.js';
import { ModelLedger } from '../../../test/ledger/model.js';

/** What was answered, in the model's words. */
function answerOf({ verdict, events }: Step): string {
  if (verdict.kind === 'recorded') {
    const last = events.at(-1)!;
    return 'request_id' in last ? lineOf(last) : 'swept';
  }
  const { outcome, replayed } = verdict.decision;
  return replayed ? `again: ${outcome}` : outcome;
}

/** A replay repeats the decision, which says less than the event that it was. */
const asDecision = (answer: string): string =>
  answer.startsWith('again: ') ? answer.split(' ').slice(0, 2).join(' ') : answer;

it('agrees with an independent model on every event, answer and balance', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(sequences, (sent) => {
      const model = new ModelLedger(MODEL_PRICES);
      const { steps } = play(sent);
      for (const [i, { command, stamp }] of sent.entries()) {
        const expected = model.step(command, stamp);
        const step = steps[i]!;
        const answer = answerOf(step);
        expect({
          recorded: step.events.map(lineOf),
          answer,
          available: step.after.available,
        }).toEqual({ ...expected, answer: asDecision(expected.answer) });
        for (const line of [...expected.recorded, answer]) count(seen, line);
      }
    }),
    { numRuns: 300 },
  );
  expect([...seen.keys()].sort()).toEqual(EVERYTHING);
});

/** A generator that no longer reaches one of these proves less than it says. */
const EVERYTHING = [
  'again: consumed',
  'again: granted',
  'again: rejected',
  'conflict',
  'consumed',
  'expired',
  'granted',
  'granted scheduled',
  'nothing_due',
  'rejected already_expired',
  'rejected insufficient_credits',
  'rejected price_too_large',
  'rejected unknown_operation',
  'started',
  'swept',
];

function count(seen: Map<string, number>, line: string): void {
  const [first, second = ''] = line.replace(/^granted \d+/, 'granted').split(' ');
  const named = ['again:', 'rejected', 'granted'].includes(first!);
  const kind = named ? `${first} ${second}`.trim() : first!;
  seen.set(kind, (seen.get(kind) ?? 0) + 1);
}
