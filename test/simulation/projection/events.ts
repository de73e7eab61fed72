import { instantOf } from '#libs/contracts';
import {
  TestRecorder,
  type RecordedEvent,
  type TestAccount,
} from '../../fixtures/recorded-events.js';
import type { Chance } from './chance.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const OPERATIONS = ['text.generation', 'image.generation', 'no.such.operation'] as const;

/** Events of several accounts and tenants, decided by the real rules, in their one order. */
export function recordHistory(chance: Chance, steps: number): readonly RecordedEvent[] {
  const recorder = new TestRecorder();
  const accounts: [TestAccount, ...TestAccount[]] = [
    recorder.account('alice'),
    recorder.account('bob'),
    recorder.account('carol'),
    recorder.account('alice', 'other'),
  ];
  for (let step = 0; step < steps; step += 1) {
    const account = chance.oneOf(accounts);
    switch (chance.pick(0, 9)) {
      case 0:
        recorder.wait(chance.pick(1, 20) * MINUTE_MS);
        break;
      case 1:
      case 2:
      case 3:
        recorder.grant(account, chance.pick(1, 90), termsOf(recorder, chance));
        break;
      default:
        recorder.use(account, chance.oneOf(OPERATIONS), chance.pick(1, 4), {
          occurred_at: at(recorder, -chance.pick(0, 3) * DAY_MS),
        });
    }
  }
  return recorder.recorded;
}

function termsOf(recorder: TestRecorder, chance: Chance): object {
  const minutes = chance.pick(-5, 60);
  switch (chance.pick(0, 3)) {
    case 0:
      return { expires_at: at(recorder, minutes * MINUTE_MS) };
    case 1:
      return { effective_at: at(recorder, minutes * MINUTE_MS) };
    case 2:
      return { paid: { amount_minor: minutes + 5, currency: 'EUR' } };
    default:
      return {};
  }
}

const at = ({ now }: TestRecorder, ms: number) => instantOf(Date.parse(now) + ms);
