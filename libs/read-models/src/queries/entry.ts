import { decodeAccountEvent, type AccountEvent } from '#libs/contracts';

/** One line of the statement: the event as it was recorded, and its place. */
export interface Entry {
  readonly revision: number;
  /** The stream's chain at this event. */
  readonly chain: string;
  readonly event: AccountEvent;
}

/** Columns of an entry row that make an Entry. */
export const ENTRY_COLUMNS = "e.revision, encode(e.chain, 'hex') as chain, e.data";

export interface EntryRow {
  revision: bigint;
  chain: string;
  data: string;
}

export const entryOf = ({ revision, chain, data }: EntryRow): Entry => ({
  revision: Number(revision),
  chain,
  event: decodeAccountEvent(data),
});
