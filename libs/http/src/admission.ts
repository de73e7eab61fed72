import {
  createParamDecorator,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { createKeyring, type ApiKey, type Scope } from '#libs/platform';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { Problem, problemDetails } from './problem.js';

/** Who may call a route: whose key has this scope, or everyone. */
type Access = Scope | 'public';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access;
  }
  interface FastifyRequest {
    /** Of the caller who was let in; undefined on a public route. */
    api_key: ApiKey | undefined;
  }
}

const ACCESS = 'http:access';

/** The scope that a caller's key must have; on a controller, for all its routes that name none. */
export const RequireScope = (scope: Scope) => allow(scope);
/** Needs no key. */
export const Public = () => allow('public');

function allow(access: Access): ClassDecorator & MethodDecorator {
  return (target: object, name?: string | symbol, method?: PropertyDescriptor) => {
    if (name !== undefined && method !== undefined) return mark(access, target, name, method);
    const { prototype } = target as { prototype: object };
    for (const [key, route] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof route.value !== 'function' || key === 'constructor') continue;
      if (accessOf(route.value) === undefined) mark(access, prototype, key, route);
    }
  };
}

/** For the guard, and for Fastify, which knows of a route only its configuration. */
function mark(access: Access, on: object, name: string | symbol, method: PropertyDescriptor) {
  SetMetadata(ACCESS, access)(on, name, method);
  RouteConfig({ access })(on, name, method);
}

const accessOf = (handler: object) => Reflect.getMetadata(ACCESS, handler) as Access | undefined;

/** The tenant of the caller's key: never taken from the body or the path. */
export function tenantOf(context: ExecutionContext): string {
  const { api_key } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!api_key) throw new Error('a public route has no tenant');
  return api_key.tenant_id;
}

export const TenantOfKey = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  tenantOf(context),
);

type FindKey = (presented: string) => ApiKey | undefined;

/**
 * Lets in who presents a known key with the route's scope: `Authorization: Bearer <key>`. Asked
 * when the headers are there and before the body is read: a stranger cannot make anyone parse 4 MiB.
 * Returns the guard that closes every route that names neither a scope nor `Public`.
 */
export function admitCallers(fastify: FastifyInstance, keys: readonly ApiKey[]): CanActivate {
  const find = createKeyring(keys);
  fastify.decorateRequest('api_key', undefined);
  fastify.addHook('onRoute', (route) => {
    const access = route.config?.access;
    if (access === undefined || access === 'public') return;
    route.onRequest = [admitTo(access, find), ...[route.onRequest ?? []].flat()];
  });
  return { canActivate: (context) => isAdmitted(context, find) };
}

const admitTo =
  (scope: Scope, find: FindKey): onRequestHookHandler =>
  (request, _reply, done) => {
    try {
      const key = keyOf(request, find);
      if (!key.scopes.includes(scope)) throw forbidden(scope);
      request.api_key = key;
      done();
    } catch (problem) {
      done(problem as Problem);
    }
  };

/** Nobody gets here without admission, but to a route that is public or forgot to say who may. */
function isAdmitted(context: ExecutionContext, find: FindKey): true {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  if (request.api_key !== undefined || accessOf(context.getHandler()) === 'public') return true;
  keyOf(request, find);
  throw forbidden(undefined);
}

function keyOf({ headers }: FastifyRequest, find: FindKey): ApiKey {
  const { authorization } = headers;
  if (authorization === undefined) throw unauthorized('send Authorization: Bearer <key>');
  const [, presented] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (presented === undefined) {
    throw unauthorized('the header must be Authorization: Bearer <key>');
  }
  const key = find(presented);
  if (!key) throw unauthorized('this key is not known');
  return key;
}

const unauthorized = (detail: string) =>
  new Problem(problemDetails(401, 'unauthorized', detail), { 'www-authenticate': 'Bearer' });

const forbidden = (scope: Scope | undefined) => {
  const detail = `this key does not have the scope ${scope ?? 'of this route'}`;
  return new Problem(problemDetails(403, 'missing_scope', detail, { scope }));
};
