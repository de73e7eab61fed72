import { inOneView } from '#libs/read-models';
import type { Pool, PoolClient } from 'pg';

/** The read models as they were at one moment, however long the reading takes. */
export interface ReadView {
  /** In the transaction of the view. */
  readonly client: PoolClient;
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Rows of a query in its order, a page in memory at a time. */
  cursor<Row extends object>(text: string): Promise<Cursor<Row>>;
}

export interface Cursor<Row> {
  /** The row it stands on; undefined behind the last. */
  readonly row: Row | undefined;
  advance(): Promise<void>;
}

const PAGE = 2_000;

/**
 * One repeatable-read transaction: nothing that is projected meanwhile is seen. It holds back the
 * vacuum of what is updated meanwhile, so it should not last for hours.
 */
export const inReadView = <T>(pool: Pool, work: (view: ReadView) => Promise<T>): Promise<T> =>
  inOneView(pool, async (client) => {
    // The cursors are read to their end: plan for all rows, not for the first ones.
    await client.query('set local cursor_tuple_fraction = 1');
    await client.query(`set local work_mem = '64MB'`);
    return work(viewOf(client));
  });

function viewOf(client: PoolClient): ReadView {
  let cursors = 0;
  return {
    client,
    async query<Row extends object>(text: string, values: unknown[] = []) {
      return (await client.query<Row>(text, values)).rows;
    },
    async cursor<Row extends object>(text: string) {
      cursors += 1;
      const name = `rows_${cursors}`;
      await client.query(`declare ${name} no scroll cursor for ${text}`);
      let page: Row[] = [];
      let at = 0;
      const cursor = { row: undefined as Row | undefined, advance };
      async function advance(): Promise<void> {
        at += 1;
        if (at >= page.length) {
          page = (await client.query<Row>(`fetch ${PAGE} from ${name}`)).rows;
          at = 0;
        }
        cursor.row = page[at];
      }
      await advance();
      return cursor;
    },
  };
}
