import { hash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** What a key may be allowed to do. */
export const SCOPES = ['usage:write', 'grants:write', 'prices:write', 'read'] as const;
export const Scope = z.enum(SCOPES);
export type Scope = z.infer<typeof Scope>;

/** A caller that is let in. The key itself is stored nowhere, only its SHA-256. */
export const ApiKey = z.strictObject({
  /** 64 hex characters: SHA-256 over the key as it stands after `Bearer `. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex characters'),
  tenant_id: z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9_.:@-]{1,128}$/, 'must be a tenant id'),
  scopes: z.array(Scope).min(1),
});
export type ApiKey = z.infer<typeof ApiKey>;

export const ApiKeys = z
  .array(ApiKey)
  .min(1, 'needs at least one key')
  .refine((keys) => new Set(keys.map((key) => key.sha256)).size === keys.length, {
    error: 'must not list one sha256 twice',
  });

/** Whose account the development key opens. */
export const DEV_TENANT = 'dev';

/** The development key of a single machine: one tenant, every scope. */
export const devApiKey = (key: string): ApiKey => ({
  sha256: hash('sha256', key, 'hex'),
  tenant_id: DEV_TENANT,
  scopes: [...SCOPES],
});

/** Finds whose key was presented. Each call takes the same time, whichever key fits or none. */
export function createKeyring(keys: readonly ApiKey[]): (presented: string) => ApiKey | undefined {
  const known = keys.map((key) => ({ key, digest: Buffer.from(key.sha256, 'hex') }));
  return (presented) => {
    const digest = hash('sha256', presented, 'buffer');
    let found: ApiKey | undefined;
    for (const entry of known) if (timingSafeEqual(entry.digest, digest)) found = entry.key;
    return found;
  };
}
