import { rowReader, sourceName, type RowResult } from './row-request.js';
import { parseAccount, parseItem, type Mapping } from './mapping.js';

const COLUMNS = ['when', 'who', 'in', 'out', 'id'];

const mapping = (change: Partial<Mapping> = {}): Mapping => ({
  account: parseAccount('who'),
  items: [parseItem('llm.input_tokens=in'), parseItem('llm.output_tokens=out')],
  request_id: undefined,
  occurred_at: undefined,
  ...change,
});

function read(fields: string[], change: Partial<Mapping> = {}, number = 7): RowResult {
  const row = { number, line: number + 1, fields, text: fields.join(','), bytes: 0 };
  return rowReader(mapping(change), COLUMNS, 'a.csv')(row);
}

const body = (result: RowResult) => (result.kind === 'request' ? result.body : result);
const fault = (result: RowResult) => (result.kind === 'bad' ? result.fault : result);

describe('a row becomes a request', () => {
  it('with its account, its items and an id made of file, row and content', () => {
    expect(body(read(['t', 'alice', '374', '44', '']))).toEqual({
      // printf 't,alice,374,44,' | sha256sum
      request_id: 'a.csv:7:871803be',
      account_id: 'alice',
      items: [
        { operation: 'llm.input_tokens', quantity: 374 },
        { operation: 'llm.output_tokens', quantity: 44 },
      ],
    });
  });

  it('with id and time out of columns', () => {
    const fields = ['2023-11-16 18:15:46.6805900', 'alice', '1', '0', 'req-1'];
    expect(body(read(fields, { request_id: 'id', occurred_at: 'when' }))).toMatchObject({
      request_id: 'req-1',
      occurred_at: '2023-11-16T18:15:46.680Z',
    });
  });

  it.each(['0', '00', '', ' '])('without the item whose quantity is %j', (quantity) => {
    expect(body(read(['t', 'alice', quantity, '44', '']))).toMatchObject({
      items: [{ operation: 'llm.output_tokens', quantity: 44 }],
    });
  });

  it('with a constant account and a constant quantity', () => {
    const change = { account: parseAccount('const:bob'), items: [parseItem('image=const:1')] };
    expect(body(read(['t', '', '', '', ''], change))).toMatchObject({
      account_id: 'bob',
      items: [{ operation: 'image', quantity: 1 }],
    });
  });

  it('dealt over accounts in turn by row number', () => {
    const account = (number: number) =>
      body(read(['t', '', '1', '1', ''], { account: parseAccount('spread:3') }, number));
    expect([1, 2, 3, 4].map((number) => account(number))).toMatchObject([
      { account_id: 'acct-0001' },
      { account_id: 'acct-0002' },
      { account_id: 'acct-0003' },
      { account_id: 'acct-0001' },
    ]);
  });
});

describe('a row that cannot be billed names the column at fault', () => {
  it.each([
    ['in', ['t', 'alice', '12.5', '1', '']],
    ['in', ['t', 'alice', '-1', '1', '']],
    ['out', ['t', 'alice', '0', 'many', '']],
    ['out', ['t', 'alice', '1', '9999999999999999', '']],
    ['who', ['t', 'al ice', '1', '1', '']],
    ['who', ['t', '', '1', '1', '']],
    [null, ['t', 'alice', '0', '', '']],
    [null, ['t', 'alice', '1']],
  ])('%s of %j', (column, fields) => {
    expect(fault(read(fields))).toMatchObject({ column });
  });

  it('that of the id and of the time', () => {
    const fields = ['soon', 'alice', '1', '1', 'sys:1'];
    expect(fault(read(fields, { request_id: 'id' }))).toMatchObject({ column: 'id' });
    expect(fault(read(fields, { occurred_at: 'when' }))).toMatchObject({
      column: 'when',
      message: expect.stringContaining('"soon" must be'),
    });
  });
});

describe('a mapping that does not fit is refused before anything is sent', () => {
  it.each(['who', 'const:', 'const:a b', 'spread:0', 'spread:x', 'spread:1000001'])(
    'account %s',
    (text) => {
      const columns = ['in', 'out'];
      expect(() => rowReader(mapping({ account: parseAccount(text) }), columns, 'a')).toThrow(
        /--account|no column who; the file has: in, out/,
      );
    },
  );

  it.each(['in', '=in', 'a b=in', 'llm=', 'llm=const:0', 'llm=const:x'])('item %s', (text) => {
    expect(() => parseItem(text)).toThrow(`--item ${text}`);
  });

  it('a column that is there twice, and too many items', () => {
    expect(() => rowReader(mapping(), ['who', 'in', 'out', 'in'], 'a')).toThrow(
      'in is there twice',
    );
    const items = Array.from({ length: 17 }, () => parseItem('llm=in'));
    expect(() => rowReader(mapping({ items }), COLUMNS, 'a')).toThrow('at most 16');
  });
});

describe('the name of a file in request ids', () => {
  it('is the name itself when it can be', () => {
    expect(sourceName('usage-2023_11.csv')).toBe('usage-2023_11.csv');
  });

  it('is made of the characters of an id, and never the same for two files', () => {
    const names = ['a b.csv', 'a-b.csv', 'a:b.csv', 'ä.csv', 'ö.csv', `${'x'.repeat(300)}.csv`];
    const made = names.map(sourceName);
    expect(new Set(made).size).toBe(names.length);
    for (const name of made) expect(name).toMatch(/^[A-Za-z0-9_.@-]{1,90}$/);
  });

  it('is one name however the file system writes the letter', () => {
    expect(sourceName('a\u0308.csv')).toBe(sourceName('\u00e4.csv'));
  });
});
