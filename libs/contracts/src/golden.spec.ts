import { z } from 'zod';
import {
  golden,
  goldenNames,
  goldenText,
  type GoldenKind,
} from '../../../test/contracts/golden.js';
import { eventIdOf, GENESIS, nextChain } from './chain.js';
import { decodeDeadLetter, encodeDeadLetter } from './dead-letters.js';
import { OUTCOMES } from './decisions.js';
import {
  decodeAccountEvent,
  decodeDecision,
  decodePriceBookEvent,
  decodeRequest,
  encodeDecision,
  encodeEvent,
  encodeRequest,
} from './encoding.js';
import { AccountEvent, PriceBookEvent } from './events.js';
import { fingerprintOf } from './fingerprint.js';
import { jsonSchemas } from './json-schemas.js';
import { LedgerRequest } from './requests.js';
import type { Instant } from './time.js';

const typeOf = (name: string) => name.split('.')[0]!;
const typesOf = (kind: GoldenKind) => new Set(goldenNames(kind).map(typeOf));
const literal = (option: { shape: { type: z.ZodLiteral } }) => [...option.shape.type.values][0];

/**
 * The id of each stored event as the first of its stream, worked out by a program of another language.
 * A file that no longer gives it was edited; a stored version is never edited, only added to.
 */
const EVENT_IDS: Record<string, string> = {
  'CreditsExpired.v1': '3bdc352c-849a-89ed-9e8b-dc847b3a28cb',
  'CreditsGranted.v1.active': 'cc1df192-3c26-83e6-9bb6-e412f03e44e8',
  'CreditsGranted.v1.scheduled': '9b967db6-18c7-8282-8892-9e2d8358abd2',
  'GrantActivated.v1': '3f29d725-992f-8c10-bced-f855ee33d774',
  'GrantRejected.v1.already_expired': 'e13480a9-8c2f-8f40-8e01-d4636a130491',
  'PriceBookPublished.v1': '3060aadd-10c2-82fd-aa53-20ba4ba4edfc',
  'PriceBookRejected.v1': 'f1523703-577c-8057-812c-32e67a58440c',
  'PriceBookRejected.v1.effective_from_too_soon': 'b9144053-c77e-8e1e-bfc5-0bba2eec18ab',
  'UsageConsumed.v1.lines': 'f7efdc91-33dc-8859-b9ac-2617f1d0a9e3',
  'UsageConsumed.v1.minimal': '191fb737-dc7a-81f2-b86e-54b9a37e2d7c',
  'UsageRejected.v1.insufficient_credits': 'cf8f1ecc-3498-8ef0-b512-1b5410704b75',
  'UsageRejected.v1.unknown_operation': '53299c37-6ae5-8f20-befd-a24ee7102b2b',
};

const decodeEvent = (name: string, data: string) =>
  name.startsWith('PriceBook') ? decodePriceBookEvent(data) : decodeAccountEvent(data);

describe('an event of every type and version', () => {
  it('has a golden file and a known id', () => {
    const types = [...AccountEvent.options, ...PriceBookEvent.options].map(literal);
    expect(typesOf('events')).toEqual(new Set(types));
    expect(goldenNames('events').sort()).toEqual(Object.keys(EVENT_IDS).sort());
  });

  it.each(goldenNames('events'))('%s decodes, and encodes to the same bytes', (name) => {
    const data = goldenText('events', name);
    expect(encodeEvent(decodeEvent(name, data))).toBe(data);
    expect(eventIdOf(nextChain(GENESIS.chain, data))).toBe(EVENT_IDS[name]);
  });

  it.each(goldenNames('events'))('%s with a field that nobody knows is not skipped', (name) => {
    const data = JSON.stringify({ ...golden('events', name), surprise: 1 });
    expect(() => decodeEvent(name, data)).toThrow('surprise');
  });

  it.each(goldenNames('events'))('%s without any one of its required fields is refused', (name) => {
    const event = golden('events', name);
    const required = (jsonSchemas()[`${typeOf(name)}.v1`] as { required: string[] }).required;
    for (const field of required) {
      const { [field]: _gone, ...rest } = event;
      const place = field === 'type' ? 'type' : field;
      expect(() => decodeEvent(name, JSON.stringify(rest))).toThrow(place);
    }
  });
});

describe('a decision of every outcome', () => {
  it('has a golden file', () => {
    const outcomes = goldenNames('decisions').map((name) => golden('decisions', name)['outcome']);
    expect(new Set(outcomes)).toEqual(new Set(OUTCOMES));
  });

  it.each(goldenNames('decisions'))('%s decodes, and encodes to the same bytes', (name) => {
    const text = goldenText('decisions', name);
    expect(encodeDecision(decodeDecision(text))).toBe(text);
  });
});

it.each(goldenNames('dead-letters'))('%s decodes, and encodes to the same bytes', (name) => {
  const text = goldenText('dead-letters', name);
  expect(encodeDeadLetter(decodeDeadLetter(text))).toBe(text);
});

describe('a request of every type and version', () => {
  it('has a golden file', () => {
    const types = LedgerRequest.options.map((option) =>
      literal((option instanceof z.ZodPipe ? option.in : option) as never),
    );
    expect(typesOf('requests')).toEqual(new Set(types));
  });

  const decode = (text: string) => decodeRequest(text, '2026-04-01T00:00:00.000Z' as Instant);

  it.each(goldenNames('requests'))('%s decodes, and to itself once it is normalised', (name) => {
    const request = decode(goldenText('requests', name));
    const text = encodeRequest(request as never);
    expect(decode(text)).toEqual(request);
    expect(encodeRequest(decode(text) as never)).toBe(text);
    expect(fingerprintOf(decode(text))).toBe(fingerprintOf(request));
  });
});
