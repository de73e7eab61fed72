import { z } from 'zod';
import { Secret } from './secret.js';

const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

export interface KafkaSecurity {
  /** true trusts the system's authorities, a PEM text that one. */
  readonly tls?: true | { readonly ca: string };
  readonly sasl?: {
    readonly mechanism: (typeof SASL_MECHANISMS)[number];
    readonly username: string;
    readonly password: Secret;
  };
}

/** The text of a variable that is set: an empty one is a mistake. */
export const given = z
  .string()
  .trim()
  .min(1, { error: 'is empty: give a value or unset it', abort: true });

/** The variables about it; `read` gives the text of the file that KAFKA_TLS_CA points to. */
export const kafkaSecurityShape = (read: (path: string) => string) => ({
  KAFKA_TLS: z.enum(['true', 'false'], 'must be true or false').optional(),
  KAFKA_TLS_CA: given
    .transform((path, context) => {
      try {
        return read(path);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a file that can be read' });
        return z.NEVER;
      }
    })
    .optional(),
  KAFKA_SASL_MECHANISM: z
    .enum(SASL_MECHANISMS, `must be one of ${SASL_MECHANISMS.join(', ')}`)
    .optional(),
  KAFKA_SASL_USERNAME: given.optional(),
  KAFKA_SASL_PASSWORD: given.transform((text) => new Secret(text)).optional(),
});

interface Parsed {
  readonly KAFKA_TLS?: 'true' | 'false' | undefined;
  readonly KAFKA_TLS_CA?: string | undefined;
  readonly KAFKA_SASL_MECHANISM?: (typeof SASL_MECHANISMS)[number] | undefined;
  readonly KAFKA_SASL_USERNAME?: string | undefined;
  readonly KAFKA_SASL_PASSWORD?: Secret | undefined;
}

export function kafkaSecurityOf(parsed: Parsed): KafkaSecurity {
  const { KAFKA_TLS_CA: ca, KAFKA_SASL_MECHANISM: mechanism } = parsed;
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = parsed;
  return {
    ...(parsed.KAFKA_TLS === 'true' && { tls: ca === undefined ? true : { ca } }),
    ...(mechanism && username && password && { sasl: { mechanism, username, password } }),
  };
}

const SASL = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'];

/** Half a login, or an authority without encryption, is a mistake. */
export function kafkaSecurityFaults(env: Readonly<Record<string, string | undefined>>): string[] {
  const missing = SASL.filter((name) => env[name] === undefined);
  const half = missing.length > 0 && missing.length < SASL.length ? missing : [];
  return [
    ...half.map((name) => `${name} is not set although another KAFKA_SASL variable is`),
    ...(env['KAFKA_TLS_CA'] !== undefined && env['KAFKA_TLS'] !== 'true'
      ? ['KAFKA_TLS_CA is set: set KAFKA_TLS to true']
      : []),
  ];
}
