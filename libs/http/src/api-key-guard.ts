import {
  createParamDecorator,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { createKeyring, type ApiKey, type Scope } from '#libs/platform';
import type { FastifyRequest } from 'fastify';
import { Problem, problemDetails } from './problem.js';

const SCOPE = 'http:scope';
const PUBLIC = 'http:public';

/** The scope that a caller's key must have. */
export const RequireScope = (scope: Scope) => SetMetadata(SCOPE, scope);
/** Needs no key. */
export const Public = () => SetMetadata(PUBLIC, true);

interface WithKey {
  api_key?: ApiKey;
}

/** The tenant of the caller's key: never taken from the body or the path. */
export function tenantOf(context: ExecutionContext): string {
  const { api_key } = context.switchToHttp().getRequest<WithKey>();
  if (!api_key) throw new Error('a public route has no tenant');
  return api_key.tenant_id;
}

export const TenantOfKey = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  tenantOf(context),
);

/**
 * Lets in who presents a known key with the route's scope: `Authorization: Bearer <key>`. A route
 * that names neither a scope nor `Public` is closed to everyone: forgetting it opens nothing.
 */
export class ApiKeyGuard implements CanActivate {
  private readonly find: (presented: string) => ApiKey | undefined;
  private readonly reflector = new Reflector();

  constructor(keys: readonly ApiKey[]) {
    this.find = createKeyring(keys);
  }

  canActivate(context: ExecutionContext): boolean {
    const places = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC, places)) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest & WithKey>();
    const key = this.find(presentedKey(request.headers.authorization));
    if (!key) throw unauthorized('this key is not known');
    const scope = this.reflector.getAllAndOverride<Scope | undefined>(SCOPE, places);
    if (scope === undefined || !key.scopes.includes(scope)) throw forbidden(scope);
    request.api_key = key;
    return true;
  }
}

function presentedKey(header: string | undefined): string {
  if (header === undefined) throw unauthorized('send Authorization: Bearer <key>');
  const [, key] = /^bearer +(\S+) *$/i.exec(header) ?? [];
  if (key === undefined) throw unauthorized('the header must be Authorization: Bearer <key>');
  return key;
}

const unauthorized = (detail: string) =>
  new Problem(problemDetails(401, 'unauthorized', detail), { 'www-authenticate': 'Bearer' });

const forbidden = (scope: Scope | undefined) => {
  const detail = `this key does not have the scope ${scope ?? 'of this route'}`;
  return new Problem(problemDetails(403, 'missing_scope', detail, { scope }));
};
