import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { append } from './rules.js';
import { openStore, type ProposedEvent, type Store } from './store.js';

let dir: string;
let open: Store[] = [];

beforeEach(() => (dir = fs.mkdtempSync(join(tmpdir(), 'eventstore-'))));
afterEach(() => {
  for (const store of open) store.close();
  open = [];
  fs.rmSync(dir, { recursive: true });
});

function openThere(): Store {
  const store = openStore(dir);
  open.push(store);
  return store;
}

const event = (n: number): ProposedEvent => ({
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  type: 'Noted',
  is_json: true,
  data: Buffer.from(`{"n":${n}}`),
  metadata: Buffer.from([n]),
});

/** Appends in one group each, until all are durable. */
async function write(store: Store, stream: string, ...events: readonly ProposedEvent[]) {
  for (const one of events) {
    await new Promise<void>((resolve) =>
      store.submit(() => {
        append(store, stream, 'any', [one]);
        return resolve;
      }),
    );
  }
}

const logPath = () => join(dir, 'events.log');
const idsIn = (store: Store, stream: string) =>
  (store.stream(stream)?.events ?? []).map(({ id }) => id);

it('gives back every event, with its place, after it was closed or killed', async () => {
  const store = openThere();
  await write(store, 'a', event(1), event(2));
  await write(store, 'b', event(3));
  const again = openThere(); // the first one was not closed
  expect(again.log).toEqual(store.log);
  expect(again.end()).toBe(store.end());
  await write(again, 'a', event(4));
  expect(idsIn(openThere(), 'a')).toEqual([event(1).id, event(2).id, event(4).id]);
});

it('writes all that is submitted in one turn as one group: all of it is there, or nothing', async () => {
  const store = openThere();
  const before = fs.statSync(logPath()).size;
  let left = 3;
  await new Promise<void>((resolve) => {
    for (let n = 1; n <= 3; n += 1) {
      store.submit(() => {
        append(store, 'a', 'any', [event(n)]);
        return () => (left -= 1) === 0 && resolve();
      });
    }
  });
  fs.truncateSync(logPath(), fs.statSync(logPath()).size - 1);
  expect(idsIn(openThere(), 'a')).toEqual([]);
  expect(fs.statSync(logPath()).size).toBe(before);
});

it('drops the group that was being written when the process died, wherever it was torn', async () => {
  const store = openThere();
  await write(store, 'a', event(1));
  const whole = fs.readFileSync(logPath());
  await write(store, 'a', event(2));
  const longer = fs.readFileSync(logPath());
  for (let size = whole.length; size < longer.length; size += 7) {
    fs.writeFileSync(logPath(), longer.subarray(0, size));
    expect(idsIn(openThere(), 'a')).toEqual([event(1).id]);
  }
  // Its bytes may have reached the disk in another order.
  const garbled = Buffer.from(longer);
  garbled.fill(0, whole.length + 12, whole.length + 40);
  fs.writeFileSync(logPath(), garbled);
  const again = openThere();
  expect(idsIn(again, 'a')).toEqual([event(1).id]);
  await write(again, 'a', event(3));
  expect(idsIn(openThere(), 'a')).toEqual([event(1).id, event(3).id]);
});

it('does not open a log that is damaged before its last group', async () => {
  const store = openThere();
  await write(store, 'a', event(1), event(2), event(3));
  const bytes = fs.readFileSync(logPath());
  bytes[bytes.indexOf('"n":1') + 4] = 0x39;
  fs.writeFileSync(logPath(), bytes);
  expect(() => openThere()).toThrow(/damaged/);
});
