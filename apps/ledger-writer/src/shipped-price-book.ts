import { readFile } from 'node:fs/promises';
import { parseShippedPriceBook, type PriceBook } from '#libs/contracts';

const FILE = new URL('../../../../infra/price-book/default.json', import.meta.url);

/** The price book in force where a tenant has published none. Throws when the file cannot be read. */
export const shippedPriceBook = async (): Promise<PriceBook> =>
  parseShippedPriceBook(await readFile(FILE, 'utf8'));
