import { Silence } from './connection.js';
import type { AllSources } from './log-pages.js';
import type { PageReader } from './pages.js';
import { comparePositions, type Position } from './position.js';
import type { ReadEvent } from './read-codec.js';
import { readAll } from './reading-all.js';
import { searchAll } from './searching.js';
import { subscription } from './subscription.js';

const OURS = 'account-';

/** Events by the letters of `log`, `a` ours and anything else foreign, at the positions 10, 20 … */
const eventsOf = (log: string): ReadEvent[] =>
  log.split('').map((letter, n) => {
    const stream = letter === 'a' ? `${OURS}acme/a` : 'other';
    const at = (n + 1) * 10;
    const event = { event_id: `id-${n}`, type: 'Noted', data: '{}', meta: '{}', stream };
    return {
      event: { ...event, revision: n, position: `${at}/${at}` },
      position: { commit: at, prepare: at },
    };
  });

const NOTHING = { is_last: true, stream_not_found: false, last_revision: undefined };

/** A server that is silent for too long once it passes more foreign events in a row than `patience`. */
function serverWith(log: string, patience: number, onHead = (_: ReadEvent[]) => {}) {
  const events = eventsOf(log);
  const source = {};
  const asked: ('filtered' | 'plain')[] = [];
  const pages: PageReader = {
    async read(request) {
      if (request.of !== 'all') throw new Error('the search reads the whole log');
      const { from, prefix, count } = request;
      if (from === 'end') {
        onHead(events);
        return { ...NOTHING, events: events.slice(-1), source };
      }
      asked.push(prefix === undefined ? 'plain' : 'filtered');
      const found: ReadEvent[] = [];
      let passed = 0;
      for (const one of events) {
        if (typeof from === 'object' && comparePositions(one.position, from) < 0) continue;
        const isFound = prefix === undefined || one.event.stream.startsWith(prefix);
        if (isFound) found.push(one);
        passed = isFound ? 0 : passed + 1;
        if (passed > patience) throw new Silence(1);
        if (found.length === count) break;
      }
      const is_last = found.length < count;
      return { ...NOTHING, events: found, is_last, source };
    },
  };
  const persistence = { attempts: 2, on_failure: () => {} };
  const sources: AllSources = { pages, persistence, behind_timeout_ms: 0 };
  return { sources, events, asked };
}

/** Everything under the prefix, page by page, with what each page says of where it ends. */
async function searched(sources: AllSources, events: readonly ReadEvent[], count: number) {
  const search = searchAll(sources, OURS);
  const found: string[] = [];
  let after: Position | null = null;
  let front: string | undefined;
  for (;;) {
    const page = await search.page(after, count);
    expect(page.events.length).toBeLessThanOrEqual(count);
    expect(page.at_after?.event_id).toBe(front);
    found.push(...page.events.map(({ event }) => event.event_id));
    after = page.read_to;
    front = page.front?.event_id;
    const there = events.find(({ position }) => after !== null && position.commit === after.commit);
    expect(front).toBe(there?.event.stream.startsWith(OURS) ? there.event.event_id : undefined);
    if (page.is_last) return { found, search, after };
  }
}

describe('a search finds every event of its own once, in order, and nothing else,', () => {
  const logs = ['', 'a', '-', 'aa-aa', '---a---a', `a${'-'.repeat(4_500)}aa-`, '-'.repeat(4_500)];
  it.each(logs.map((log) => [log.length > 10 ? `${log.length} events` : log, log] as const))(
    'in %s',
    async (_, log) => {
      for (const patience of [0, 2, 10_000]) {
        for (const count of [1, 2, 3, 2_000]) {
          const { sources, events } = serverWith(log, patience);
          const { found } = await searched(sources, events, count);
          const ours = events.filter(({ event }) => event.stream.startsWith(OURS));
          expect(found).toEqual(ours.map(({ event }) => event.event_id));
        }
      }
    },
  );
});

it('lets the server search, reads everything after a silence, and lets it search again at the end', async () => {
  const { sources, events, asked } = serverWith('a-a-----aa', 3);
  const { search, after } = await searched(sources, events, 1);
  await search.page(after, 1);
  // One event, one more, silence, then both of the rest: cut to one, and the last.
  expect(asked).toEqual(['filtered', 'filtered', 'filtered', 'plain', 'plain', 'filtered']);
});

it('is not taken past an event by where the log ends, when it has not got there itself', async () => {
  const more = `a${'-'.repeat(2_500)}a--`;
  const { sources } = serverWith('a', 100, (events) =>
    events.splice(0, events.length, ...eventsOf(more)),
  );
  const ending = new AbortController();
  const persistence = { ...sources.persistence, signal: ending.signal };
  const range = { prefix: OURS, after: null, batch_size: 10 };
  const batches = subscription({ ...sources, persistence }, range);
  expect((await batches.next()).value).toMatchObject([{ event_id: 'id-0' }]);
  expect((await batches.next()).value).toMatchObject([{ event_id: 'id-2501' }]);
  ending.abort();
});

it('reads all of the log from a new leader that is behind when it is asked first', async () => {
  const log = 'a-aaa-';
  const { events, sources: of_old } = serverWith(log, 10);
  const { sources: of_behind } = serverWith(log.slice(0, 3), 10);
  const { sources: of_new } = serverWith(log, 10);
  let [leader, asked] = [of_old, 0];
  const pages: PageReader = {
    async read(request, signal) {
      const page = await leader.pages.read(request, signal);
      if (leader === of_old) leader = of_behind;
      else if (++asked === 3) leader = of_new;
      return page;
    },
  };
  const failures: unknown[] = [];
  const persistence = { attempts: 1, on_failure: (error: unknown) => failures.push(error) };
  const sources: AllSources = { pages, persistence, behind_timeout_ms: 10_000 };
  const found: string[] = [];
  for await (const batch of readAll(sources, { prefix: OURS, after: null, batch_size: 10 }))
    found.push(...batch.map(({ event_id }) => event_id));
  const ours = events.filter(({ event }) => event.stream.startsWith(OURS));
  expect(found).toEqual(ours.map(({ event }) => event.event_id));
  expect(failures.length).toBeGreaterThan(0); // that it waits is told
});
