import fc from 'fast-check';
import { chainOf, eventIdOf, followLink, GENESIS, linkEvent, nextChain } from './chain.js';
import { InvariantBroken } from './errors.js';
import { encodeJson } from './json.js';

/** Worked out by a program of another language. */
const VECTORS = [
  {
    data: '{"a":1}',
    chain: 'fc6cee09194dd2578bd7664604fcb72a539066fd34544cea0009c43eb6cdc289',
    event_id: 'fc6cee09-194d-8257-8bd7-664604fcb72a',
  },
  {
    data: '{"b":"é"}',
    chain: 'd91cd379c785ffb2f91c182978a54f4bd5e1f0157040484e50e432f93f668c6e',
    event_id: 'd91cd379-c785-8fb2-b91c-182978a54f4b',
  },
];

describe('the chain', () => {
  it('is SHA-256 over the chain before and the bytes; its first half is the event id', () => {
    let head = GENESIS;
    for (const [revision, { data, chain, event_id }] of VECTORS.entries()) {
      const linked = linkEvent(head, 'Type', data);
      expect(linked).toEqual({
        event: { event_id, type: 'Type', data, meta: `{"chain":"${chain}"}` },
        head: { revision, chain },
      });
      head = linked.head;
    }
  });

  it('gives every event id the form of a UUIDv8, and keeps 122 of its bits', () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    fc.assert(
      fc.property(fc.string(), (data) => {
        const chain = nextChain(GENESIS.chain, data);
        const id = eventIdOf(chain);
        expect(id).toMatch(uuid);
        const hex = id.replaceAll('-', '');
        expect(hex.slice(0, 12) + hex.slice(13, 16) + hex.slice(17)).toBe(
          chain.slice(0, 12) + chain.slice(13, 16) + chain.slice(17, 32),
        );
        const [kept, set] = [chain, hex].map((text) => Number.parseInt(text[16]!, 16) & 3);
        expect(set).toBe(kept);
      }),
    );
  });

  it('hashes the bytes that a store keeps: half a surrogate pair is escaped before', () => {
    const data = encodeJson({ text: '\ud800\u0000\u2028' });
    expect(data).toBe('{"text":"\\ud800\\u0000\u2028"}');
    expect(Buffer.from(data).toString()).toBe(data);
    expect(nextChain(GENESIS.chain, Buffer.from(data).toString())).toBe(
      nextChain(GENESIS.chain, data),
    );
  });
});

/** Each way to tamper with the second of three events, and at which revision it is noticed. */
describe('following a stream notices', () => {
  const stored = linkAll(['{"n":1}', '{"n":2}', '{"n":3}']);
  type Stored = (typeof stored)[number];

  const follow = (events: readonly Stored[]) => {
    let head = GENESIS;
    for (const event of events) head = followLink(head, event);
    return head;
  };
  const withSecond = (change: Partial<Stored>) => stored.with(1, { ...stored[1]!, ...change });
  const forged = linkEvent(GENESIS, 'T', '{"n":9}').event;

  it('nothing when all is well, also where a store laid out the metadata anew', () => {
    expect(follow(stored).revision).toBe(2);
    const chain = chainOf(stored[1]!.meta);
    expect(follow(withSecond({ meta: `{ "chain" : "${chain}", "$by": "store" }` }))).toEqual(
      follow(stored),
    );
  });

  const cases: [string, readonly Stored[], string][] = [
    ['an edited event', withSecond({ data: '{"n":2.0}' }), 'revision 1: the chain is broken'],
    ['an edited event and its metadata', withSecond(relink('{"n":9}')), 'revision 2: the chain'],
    ['an event of elsewhere', withSecond(forged), 'revision 1: the chain is broken'],
    ['metadata of elsewhere', withSecond({ meta: forged.meta }), 'revision 1: the chain is broken'],
    ['an id of elsewhere', withSecond({ event_id: forged.event_id }), 'revision 1: event id'],
    ['a removed event', stored.toSpliced(1, 1), 'revision 2: expected revision 1'],
    ['a removed event, renumbered', renumber(stored.toSpliced(1, 1)), 'revision 1: the chain'],
    ['a removed first event, renumbered', renumber(stored.slice(1)), 'revision 0: the chain'],
    ['exchanged events', [stored[0]!, stored[2]!, stored[1]!], 'revision 2: expected revision 1'],
    ['exchanged, renumbered', renumber([stored[0]!, stored[2]!, stored[1]!]), 'revision 1: the'],
    ['a repeated event', [stored[0]!, stored[0]!], 'revision 0: expected revision 1'],
    ['an inserted event', renumber(stored.toSpliced(1, 0, stored[0]!)), 'revision 1: the chain'],
    ['metadata that is no JSON', withSecond({ meta: 'x' }), 'not JSON'],
    ['metadata without a chain', withSecond({ meta: '{}' }), 'chain'],
    ['metadata of another kind', withSecond({ meta: 'null' }), 'cannot be read'],
  ];

  it.each(cases)('%s', (_name, events, message) => {
    expect(() => follow(events)).toThrow(InvariantBroken);
    expect(() => follow(events)).toThrow(message);
  });

  function relink(data: string): Partial<Stored> {
    const { chain } = followLink(GENESIS, stored[0]!);
    return linkEvent({ revision: 0, chain }, 'T', data).event;
  }
});

function linkAll(data: readonly string[]) {
  let head = GENESIS;
  return data.map((text, revision) => {
    const linked = linkEvent(head, 'T', text);
    head = linked.head;
    return { ...linked.event, stream: 'account-a/b', revision };
  });
}

function renumber<T extends { revision: number }>(events: readonly T[]): T[] {
  return events.map((event, revision) => ({ ...event, revision }));
}
