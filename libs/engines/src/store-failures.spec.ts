import { storeFailures } from './store-failures.js';

it('reports what is new at once, and what goes on every 10 s', () => {
  let now_ms = 0;
  const lines: unknown[] = [];
  const failed = storeFailures({ warn: (fields: object) => void lines.push(fields) }, () => now_ms);
  const away = Object.assign(new Error('away'), { code: 14 });
  const odd = new Error('odd');
  for (; now_ms < 25_000; now_ms += 500) failed(away, now_ms / 500 + 1);
  failed(odd, 1);
  expect(lines).toEqual([
    { why: 'away', attempt: 1, failures: 1 },
    { why: 'away', attempt: 21, failures: 20 },
    { why: 'away', attempt: 41, failures: 20 },
    { err: odd, attempt: 1, failures: 10 },
  ]);
});
