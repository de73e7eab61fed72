import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCsv, type CsvRow } from './csv-file.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function rowsOf(text: string | Buffer, delimiter = ','): Promise<CsvRow[]> {
  const path = join(folder, 'a.csv');
  await writeFile(path, text);
  const rows: CsvRow[] = [];
  for await (const row of (await openCsv(path, delimiter)).rows) rows.push(row);
  return rows;
}

it('numbers data rows from 1 and keeps their text without line ends', async () => {
  const rows = await rowsOf('\ufeffa, b\r\n1,2\r\n\r\n"x ""y","two\nlines"\r\n3,4');
  expect(rows.map(({ number, line, fields, text }) => ({ number, line, fields, text }))).toEqual([
    { number: 1, line: 2, fields: ['1', '2'], text: '1,2' },
    { number: 2, line: 5, fields: ['x "y', 'two\nlines'], text: '"x ""y","two\nlines"' },
    { number: 3, line: 6, fields: ['3', '4'], text: '3,4' },
  ]);
});

it('gives a row the same text whatever the line ends are', async () => {
  const texts = async (text: string) => (await rowsOf(text)).map((row) => row.text);
  expect(await texts('a,b\n1,2\n3,4\n')).toEqual(await texts('a,b\r\n1,2\r\n3,4'));
});

it('delivers rows of another length than the header', async () => {
  const rows = await rowsOf('a;b\n1\n1;2;3\n', ';');
  expect(rows.map((row) => row.fields)).toEqual([['1'], ['1', '2', '3']]);
});

it('names the columns and the size before it reads on', async () => {
  await writeFile(join(folder, 'b.csv'), 'when, who \n1,2\n');
  const file = await openCsv(join(folder, 'b.csv'), ',');
  expect(file).toMatchObject({ columns: ['when', 'who'], size_bytes: 15 });
});

it.each([
  ['a broken quote', 'a,b\n1,2\n"x"y,2\n5,6\n', 'line 3'],
  ['a quote that is never closed', 'a,b\n1,2\n"x,2\n5,6\n', 'not CSV'],
  ['a row without end', `a,b\n1,${'2'.repeat(1_000_001)}`, 'line 2'],
])('ends with the line at %s', async (_name, text, told) => {
  await expect(rowsOf(text)).rejects.toThrow(told);
});

it('says what is wrong with a file that is empty or not there', async () => {
  await expect(rowsOf('')).rejects.toThrow('is empty');
  await expect(openCsv(join(folder, 'none.csv'), ',')).rejects.toThrow('cannot read');
});

it('says that a folder is none', async () => {
  await expect(openCsv(folder, ',')).rejects.toThrow(`${folder} is a directory: name one CSV file`);
});

it('says what parts the columns of a header that is broken by it', async () => {
  const hint = "a.csv: its columns seem to be separated by ;, give --delimiter ';'";
  await expect(rowsOf('"when";"who, where"\n"1";"2"\n')).rejects.toThrow(hint);
  expect(await rowsOf('"when";"who"\n"1";"2"\n', ';')).toHaveLength(1);
});
