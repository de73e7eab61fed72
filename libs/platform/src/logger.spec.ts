import { PassThrough } from 'node:stream';
import type { LogLevel } from './configuration.js';
import { createLogger, nestLogger } from './logger.js';

function capture(level: LogLevel, isTTY = false) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const logger = createLogger('spec', level, stream);
  const text = () => String(stream.read() ?? '');
  const lines = () =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger, text, lines };
}

it('writes one JSON object per line', () => {
  const { logger, lines } = capture('info');
  logger.info({ lag: 3 }, 'hello');
  logger.debug('unheard');
  const [line, ...rest] = lines();
  expect(line).toMatchObject({ level: 'info', name: 'spec', msg: 'hello', lag: 3 });
  expect(line!.time).toMatch(/^\d{4}-.*Z$/);
  expect(rest).toEqual([]);
});

it('writes text for a terminal', () => {
  const { logger, text } = capture('info', true);
  logger.info('hello');
  const written = text();
  expect(written).toContain('hello');
  expect(written).not.toMatch(/^\{/);
});

it('F32: a logged error carries no secret, nor does its stack or its cause', () => {
  for (const isTTY of [false, true]) {
    const { logger, text } = capture('info', isTTY);
    const cause = new Error('password=hunter2 was refused');
    const err = new Error('cannot reach postgres://ledger:hunter2@db/x', { cause });
    logger.error({ err, headers: { authorization: 'Bearer hunter2' } }, 'failed');
    const written = text();
    expect(written).toContain('postgres://[redacted]@db/x');
    expect(written).not.toContain('hunter2');
  }
});

describe('the logger that Nest is given', () => {
  it('keeps context and stack as fields', () => {
    const { logger, lines } = capture('trace');
    const nest = nestLogger(logger);
    nest.log('mapped', 'RouterExplorer');
    nest.error('it broke', 'Error: it broke\n    at a.js', 'Filter');
    nest.error(new Error('thrown'), undefined, 'Filter');
    nest.verbose?.({ any: 'thing' });
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'debug', msg: 'mapped', context: 'RouterExplorer' }),
      expect.objectContaining({ level: 'error', context: 'Filter', stack: expect.any(String) }),
      expect.objectContaining({ msg: 'thrown', context: 'Filter', err: expect.anything() }),
      expect.objectContaining({ level: 'trace', value: { any: 'thing' } }),
    ]);
  });
});
