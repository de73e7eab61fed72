export interface Column {
  readonly name: string;
  readonly width: number;
  /** Numbers stand to the right. */
  readonly align: 'left' | 'right';
}

const GAP = '  ';

/** One line of a table; what is wider than its column pushes the rest. */
export const tableRow = (columns: readonly Column[], cells: readonly string[]): string =>
  columns
    .map(({ width, align }, n) => {
      const cell = cells[n] ?? '';
      return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
    })
    .join(GAP)
    .trimEnd();

export const tableHeader = (columns: readonly Column[]): string =>
  tableRow(
    columns,
    columns.map(({ name }) => name),
  );

/** Credits and counts as a person reads them: `1,234`. */
export const grouped = (value: number | bigint): string => value.toLocaleString('en-US');

/** `1 credit`, `1,234 credits`. */
export const counted = (value: number | bigint, one: string, many = `${one}s`): string =>
  `${grouped(value)} ${BigInt(value) === 1n ? one : many}`;

/** A change, with its sign: `+1,234`, `-1`, `0`. */
export const signed = (value: bigint): string => (value > 0n ? '+' : '') + grouped(value);
