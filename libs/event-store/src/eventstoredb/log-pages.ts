import { InvariantBroken } from '#libs/contracts';
import type { Page, PageReader } from './pages.js';
import type { Persistence } from './persistence.js';
import type { PageRequest } from './read-request.js';

/** What reads the log of all streams. */
export interface AllSources {
  readonly pages: PageReader;
  readonly persistence: Persistence;
  /** How long the log may end before what was read from it, as a new leader's may, and be waited for. */
  readonly behind_timeout_ms: number;
}

/** Tried once. Throws InvariantBroken when no record begins at the position. */
export async function pageOfLog(
  { pages, persistence }: AllSources,
  request: Extract<PageRequest, { of: 'all' }>,
): Promise<Page> {
  try {
    return await pages.read(request, persistence.signal);
  } catch (error) {
    // "Error" up to 23.10, "InvalidPosition" from 24 on.
    if (error instanceof Error && /Unexpected (?:Filtered)?ReadAllResult/.test(error.message)) {
      throw new InvariantBroken(`no record begins where the log is read from: ${error.message}`);
    }
    throw error;
  }
}
