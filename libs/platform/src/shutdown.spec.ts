import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createShutdown } from './shutdown.js';

/** A shutdown whose exit is recorded, on a process that is only an emitter. */
function setUp({ total_ms = 10_000 } = {}) {
  const log: { level: string; fields: Record<string, unknown> }[] = [];
  const at = (level: string) => (fields: Record<string, unknown>) =>
    void log.push({ level, fields });
  const source = new EventEmitter();
  const exits: number[] = [];
  const done: string[] = [];
  const shutdown = createShutdown({
    logger: { info: at('info'), error: at('error'), fatal: at('fatal') } as never,
    total_ms,
    exit: (code) => void exits.push(code),
  });
  shutdown.listen(source);
  const errors = () => log.filter(({ level }) => level !== 'info').map(({ fields }) => fields);
  return { shutdown, source, exits, done, errors };
}

/** Until the signal's work, which nobody awaits, is over. */
async function exited(exits: readonly number[]) {
  while (exits.length === 0) await sleep(1);
}

it('runs the steps one after the other, last added first', async () => {
  const { shutdown, done } = setUp();
  shutdown.step('pool', async () => void done.push('pool'));
  shutdown.step('consumer', async () => {
    await sleep(5);
    done.push('consumer');
  });
  shutdown.step('http', () => void done.push('http'));
  expect(await shutdown.run('test')).toBe(0);
  expect(done).toEqual(['http', 'consumer', 'pool']);
});

it('runs once, whoever asks', async () => {
  const { shutdown, done } = setUp();
  shutdown.step('a', async () => void done.push('a'));
  expect(await Promise.all([shutdown.run('one'), shutdown.run('two')])).toEqual([0, 0]);
  expect(done).toEqual(['a']);
});

it('logs a step that fails, goes on, and exits with 1', async () => {
  const { shutdown, done, errors } = setUp();
  shutdown.step('pool', () => void done.push('pool'));
  shutdown.step('late', () => Promise.reject(new Error('no')));
  shutdown.step('early', () => {
    throw new Error('no');
  });
  expect(await shutdown.run('test')).toBe(1);
  expect(done).toEqual(['pool']);
  expect(errors().map(({ step }) => step)).toEqual(['early', 'late']);
});

it('gives up when the time is over, and says what is left', async () => {
  const { shutdown, done, errors } = setUp({ total_ms: 20 });
  let aborted = false;
  shutdown.step('pool', () => void done.push('pool'));
  shutdown.step('stuck', (signal) => {
    signal.addEventListener('abort', () => (aborted = true));
    return new Promise(() => {});
  });
  expect(await shutdown.run('test')).toBe(1);
  expect(errors()).toEqual([{ left_undone: ['stuck', 'pool'], total_ms: 20 }]);
  expect({ aborted, done }).toEqual({ aborted: true, done: [] });
});

it.each(['SIGTERM', 'SIGINT'])('%s stops in order and exits with 0', async (signal) => {
  const { shutdown, source, exits, done } = setUp();
  shutdown.step('a', async () => void done.push('a'));
  source.emit(signal, signal);
  await exited(exits);
  expect({ exits, done }).toEqual({ exits: [0], done: ['a'] });
});

it('a second signal exits at once', () => {
  const { shutdown, source, exits } = setUp({ total_ms: 1 });
  shutdown.step('slow', () => new Promise(() => {}));
  source.emit('SIGTERM', 'SIGTERM');
  expect(exits).toEqual([]);
  source.emit('SIGINT', 'SIGINT');
  expect(exits).toEqual([130]);
});

it.each(['uncaughtException', 'unhandledRejection'])(
  '%s is logged and exits with 1',
  async (event) => {
    const { shutdown, source, exits, done, errors } = setUp();
    shutdown.step('a', () => void done.push('a'));
    const err = new Error('lost');
    source.emit(event, err);
    await exited(exits);
    expect({ exits, done }).toEqual({ exits: [1], done: ['a'] });
    expect(errors()).toEqual([{ err }]);
  },
);
