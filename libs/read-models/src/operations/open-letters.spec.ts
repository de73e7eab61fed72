import { deadLetterOf, type AccountKey, type DeadLetterReason } from '#libs/contracts';
import type pg from 'pg';
import { freshDatabase, type TestDatabase } from '../../../../test/postgres.js';
import { migrateOperations } from '../schema.js';
import {
  allDeadLetters,
  fileDeadLetters,
  markRedriven,
  type FiledDeadLetter,
} from './dead-letters.js';
import {
  dismissLetters,
  lettersToRedrive,
  newestDeadLetter,
  openDeadLetters,
  type LetterFilter,
  type RedriveFilter,
} from './open-letters.js';

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  ({ pool } = database);
  await migrateOperations(pool);
});
afterEach(() => database.drop());

interface At {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset: number;
  readonly second: number;
  readonly key?: string;
  readonly reason?: DeadLetterReason;
}

const letter = ({ second, key = 'acme/a', reason = 'account_parked', ...at }: At) =>
  deadLetterOf(
    {
      topic: 'ledger.usage',
      partition: 0,
      ...at,
      timestamp: `2026-01-31T12:00:0${second}.000Z` as never,
      key,
      value: '{}',
      headers: {},
    },
    reason,
    '',
  );

const offsets = async (filter: RedriveFilter, after?: FiledDeadLetter) =>
  (await lettersToRedrive(pool, filter, after, 9)).map(({ source }) => source.offset);

it('takes them in the order in which they stood on the bus, page by page', async () => {
  await fileDeadLetters(pool, [
    letter({ offset: 7, second: 3 }),
    letter({ offset: 5, second: 1, topic: 'ledger.requests' }),
    letter({ offset: 6, second: 3 }),
    letter({ offset: 4, second: 2, partition: 9 }),
  ]);
  const first = await lettersToRedrive(pool, {}, undefined, 3);
  expect(first.map(({ source }) => source.offset)).toEqual([5, 4, 6]);
  expect(await offsets({}, first.at(-1))).toEqual([7]);
});

it('takes what was filed up to a letter, whatever is filed meanwhile', async () => {
  expect(await newestDeadLetter(pool)).toBe(0n);
  await fileDeadLetters(pool, [letter({ offset: 1, second: 1 }), letter({ offset: 2, second: 2 })]);
  const up_to = await newestDeadLetter(pool);
  await fileDeadLetters(pool, [letter({ offset: 3, second: 3 })]);
  expect(await offsets({ up_to })).toEqual([1, 2]);
  expect(await offsets({})).toEqual([1, 2, 3]);
});

it('takes only what is asked for, is a request, and was not redriven', async () => {
  const letters = [
    letter({ offset: 1, second: 1 }),
    letter({ offset: 2, second: 2, key: 'acme/b' }),
    letter({ offset: 3, second: 3, reason: 'conflict' }),
    letter({ offset: 4, second: 4, topic: 'ledger.dead-letters' }),
    letter({ offset: 5, second: 5 }),
  ];
  await fileDeadLetters(pool, letters);
  await markRedriven(pool, [letters[4]!.source]);
  expect(await offsets({})).toEqual([1, 2, 3]);
  expect(await offsets({ reasons: ['conflict'] })).toEqual([3]);
  expect(await offsets({ account: 'acme/b' as AccountKey })).toEqual([2]);
  expect(await offsets({ tenant_id: 'acme' })).toEqual([1, 2, 3]);
  expect(await offsets({ tenant_id: 'other' })).toEqual([]);
  expect(await offsets({ source: letters[2]!.source })).toEqual([3]);
  expect(await openDeadLetters(pool)).toEqual([
    { reason: 'account_parked', letters: 3 },
    { reason: 'conflict', letters: 1 },
  ]);
});

describe('dismissing', () => {
  const note = { by: 'alice', why: 'ids were \0 reused' };
  const letters = [
    letter({ offset: 1, second: 1, reason: 'conflict' }),
    letter({ offset: 2, second: 2, reason: 'conflict', key: 'acme/b' }),
    letter({ offset: 3, second: 3, reason: 'conflict', key: 'other/a' }),
    letter({ offset: 4, second: 4 }),
  ];
  beforeEach(() => fileDeadLetters(pool, letters));

  const openOffsets = async () =>
    (await allDeadLetters(pool, { open: true })).items.map(({ source }) => source.offset);

  it.each<[LetterFilter, number[]]>([
    [{}, []],
    [{ reasons: ['conflict'] }, [4]],
    [{ reasons: ['conflict'], tenant_id: 'acme' }, [4, 3]],
    [{ account: 'acme/b' as AccountKey }, [4, 3, 1]],
    [{ source: letters[2]!.source }, [4, 2, 1]],
  ])('closes what is asked for: %j', async (filter, left) => {
    expect(await dismissLetters(pool, filter, note, 4 - left.length)).toBe(4 - left.length);
    expect(await openOffsets()).toEqual(left);
    expect((await allDeadLetters(pool)).items).toHaveLength(4);
  });

  it('keeps the first note, and leaves what was redriven', async () => {
    const { source } = letters[0]!;
    await markRedriven(pool, [letters[1]!.source]);
    await dismissLetters(pool, { source }, note, 1);
    expect(await dismissLetters(pool, {}, { by: 'bob', why: 'again' }, 2)).toBe(2);
    const { items } = await allDeadLetters(pool);
    expect(items.map(({ dismissed }) => dismissed?.by)).toEqual(['bob', 'bob', undefined, 'alice']);
    expect(items.at(-1)!.dismissed).toEqual({
      at: expect.stringMatching(/Z$/),
      by: 'alice',
      why: 'ids were \ufffd reused',
    });
    expect(await openDeadLetters(pool)).toEqual([]);
  });

  it('closes none when there are more or less than expected', async () => {
    for (const expected of [3, 5]) expect(await dismissLetters(pool, {}, note, expected)).toBe(4);
    expect(await openOffsets()).toHaveLength(4);
  });

  it('takes them out of the queue, but for one that is named', async () => {
    await dismissLetters(pool, { reasons: ['account_parked'] }, note, 1);
    expect(await offsets({})).toEqual([1, 2, 3]);
    expect(await offsets({ source: letters[3]!.source })).toEqual([4]);
  });

  it('outlasts a letter that is filed again', async () => {
    await dismissLetters(pool, {}, note, 4);
    await fileDeadLetters(pool, letters);
    expect(await openOffsets()).toEqual([]);
  });
});
