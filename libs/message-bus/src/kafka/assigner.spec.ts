import fc from 'fast-check';
import kafkajs, { type Cluster, type Logger } from 'kafkajs';
import { shareOut, togetherAssigner } from './assigner.js';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const hooks = { beforeJoin: async () => {}, joined: () => {} };
const topics = ['ledger.usage', 'ledger.requests'];

function assignerOn(counts: Readonly<Record<string, number>>, held: readonly number[] = []) {
  const cluster = {
    findTopicPartitionMetadata: (topic: string) =>
      Array.from({ length: counts[topic] ?? 0 }, (_, partitionId) => ({ partitionId })),
  } as unknown as Cluster;
  const assigner = togetherAssigner({ partitions: 16, hooks, held: () => held });
  return assigner({ cluster, groupId: 'g', logger: {} as Logger });
}

const even = { 'ledger.usage': 16, 'ledger.requests': 16 };
const memberOf = (memberId: string, held: readonly number[] = [], of = topics) => ({
  memberId,
  memberMetadata: assignerOn(even, held).protocol({ topics: of }).metadata,
});

async function assigned(members: readonly ReturnType<typeof memberOf>[]) {
  const result = await assignerOn(even).assign({ members: [...members], topics });
  return new Map(
    result.map(({ memberId, memberAssignment }) => [
      memberId,
      MemberAssignment.decode(memberAssignment)!.assignment,
    ]),
  );
}

it('gives partition p of every topic to one member', async () => {
  const shares = await assigned([memberOf('b'), memberOf('a'), memberOf('c')]);
  expect([...shares.keys()].toSorted()).toEqual(['a', 'b', 'c']);
  for (const share of shares.values()) {
    expect(share['ledger.usage']).toEqual(share['ledger.requests']);
  }
  const all = [...shares.values()].flatMap((share) => share['ledger.usage'] ?? []);
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, p) => p));
});

it('lets a member keep what it told that it held', async () => {
  const shares = await assigned([memberOf('a', [1, 3, 5]), memberOf('b', [0, 2]), memberOf('c')]);
  expect(shares.get('a')?.['ledger.usage']).toEqual(expect.arrayContaining([1, 3, 5]));
  expect(shares.get('b')?.['ledger.usage']).toEqual(expect.arrayContaining([0, 2]));
});

it('F18: refuses to share out a topic whose number of partitions has changed', async () => {
  const assigner = assignerOn({ ...even, 'ledger.usage': 32 });
  const assigning = assigner.assign({ members: [memberOf('a')], topics });
  await expect(assigning).rejects.toMatchObject({ name: 'TopicUnfit', retriable: false });
  await expect(assigning).rejects.toThrow('ledger.usage has 32 partitions, not 16');
});

it('refuses members that read different topics: some would be read by nobody', async () => {
  const assigning = assigned([memberOf('a'), memberOf('b', [], ['ledger.usage'])]);
  await expect(assigning).rejects.toThrow('a member reads ledger.usage');
});

it('tells what it holds in the form that a leader reads', () => {
  const metadata = MemberMetadata.decode(memberOf('a', [4, 11]).memberMetadata);
  expect(metadata?.userData.toString()).toBe('4,11');
});

describe('shares', () => {
  const wishes = fc.uniqueArray(
    fc.record({
      member: fc.string({ minLength: 1, maxLength: 4 }),
      held: fc.uniqueArray(fc.nat({ max: 40 })),
    }),
    { minLength: 1, maxLength: 9, selector: ({ member }) => member },
  );

  it('are even, and hold every partition once', () => {
    fc.assert(
      fc.property(wishes, fc.constantFrom(1, 4, 16, 32), (members, partitions) => {
        const shares = [...shareOut(members, partitions).values()];
        expect(shares).toHaveLength(members.length);
        const all = shares.flat().toSorted((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: partitions }, (_, p) => p));
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('do not change when nobody comes or goes', () => {
    fc.assert(
      fc.property(wishes, fc.constantFrom(4, 16, 32), (members, partitions) => {
        const first = shareOut(members, partitions);
        const again = [...first].map(([member, held]) => ({ member, held }));
        expect(shareOut(again, partitions)).toEqual(first);
      }),
    );
  });
});
