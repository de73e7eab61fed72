import type { LoggerService } from '@nestjs/common';
import { pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';
import pretty from 'pino-pretty';
import type { LogLevel } from './configuration.js';
import { redact } from './secret.js';

export type Logger = PinoLogger;

/**
 * One JSON object per line; readable text when `to` is a terminal. Every line passes through
 * `redact`, errors and stacks included, since a library's error may quote the URL it was given.
 */
export function createLogger(
  name: string,
  level: LogLevel,
  to: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Logger {
  const options = {
    name,
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: { streamWrite: redact },
  };
  return pino(options, destinationOf(to));
}

function destinationOf(to: NodeJS.WritableStream & { isTTY?: boolean }): DestinationStream {
  if (!to.isTTY) return to;
  return pretty({ destination: to, colorize: true, ignore: 'pid,hostname', sync: true });
}

const CONTEXT_LAST = 2;

/** What Nest logs itself, as lines of the same log: its `context` becomes a field. */
export function nestLogger(logger: Logger): LoggerService {
  const write =
    (level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace') =>
    (message: unknown, ...rest: unknown[]) => {
      const { context, stack } = meaningOf(rest);
      const fields = { ...(context && { context }), ...(stack && { stack }) };
      if (message instanceof Error) logger[level]({ ...fields, err: message }, message.message);
      else if (typeof message === 'string') logger[level](fields, message);
      else logger[level]({ ...fields, value: message });
    };
  return {
    // Nest logs every route and module that it starts: of use to who debugs Nest.
    log: write('debug'),
    fatal: write('fatal'),
    error: write('error'),
    warn: write('warn'),
    debug: write('debug'),
    verbose: write('trace'),
  };
}

/** Nest passes (…, context) or (…, stack, context); either may be undefined. */
function meaningOf(rest: readonly unknown[]): { context?: string; stack?: string } {
  const texts = rest.filter((value) => typeof value === 'string');
  const context = texts.at(-1);
  if (context === undefined) return {};
  if (texts.length >= CONTEXT_LAST) return { context, stack: texts[texts.length - CONTEXT_LAST]! };
  return context.includes('\n    at ') ? { stack: context } : { context };
}
