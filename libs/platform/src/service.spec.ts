import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { runService, type Service } from './service.js';

function setUp(env: Record<string, string> = {}) {
  const out = new PassThrough();
  const error = new PassThrough();
  const source = new EventEmitter();
  const exits: number[] = [];
  const exit = (code: number) => void exits.push(code);
  const run = (start: (service: Service) => Promise<void>) =>
    runService('spec', start, { env, out, error, source, exit });
  return { run, out, error, source, exits };
}

it('starts with everything that a process needs, and stops when told', async () => {
  const { run, source, exits } = setUp({ PORT: '0' });
  const done: string[] = [];
  let health: Service['health'] | undefined;
  await run(async (service) => {
    expect(service.configuration.port).toBe(0);
    health = service.health;
    expect((await health.report('readiness')).checks).toEqual({ running: 'is starting' });
    service.shutdown.step('work', async () => {
      expect((await service.health.report('readiness')).status).toBe('failing');
      done.push('work');
    });
  });
  expect((await health!.report('readiness')).status).toBe('ok');
  expect(exits).toEqual([]);
  source.emit('SIGTERM', 'SIGTERM');
  while (exits.length === 0) await sleep(1);
  expect({ exits, done }).toEqual({ exits: [0], done: ['work'] });
});

it('tells in plain words what is wrong with the configuration', async () => {
  const { run, error, exits } = setUp({ PORT: 'x', LOG_LEVEL: 'y' });
  await run(() => Promise.reject(new Error('must not start')));
  const told = String(error.read());
  expect(told).toContain('spec: the configuration cannot be used');
  expect(told).toContain('PORT must be');
  expect(told).not.toContain('at ');
  expect(exits).toEqual([1]);
});

it('F32: logs why it cannot start, redacted, and stops what it had started', async () => {
  const { run, out, exits } = setUp();
  const done: string[] = [];
  await run(({ shutdown }) => {
    shutdown.step('pool', () => void done.push('pool'));
    return Promise.reject(new Error('cannot reach postgres://u:hunter2@db'));
  });
  const logged = String(out.read());
  expect(logged).toContain('cannot start');
  expect(logged).not.toContain('hunter2');
  expect({ exits, done }).toEqual({ exits: [1], done: ['pool'] });
});
