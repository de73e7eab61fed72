import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { TenantId } from '#libs/contracts';
import { tenantOf } from '#libs/http';
import type { FastifyRequest } from 'fastify';
import { preferenceOf, type Preference } from './prefer.js';

/** Who asks, and how long it wants to wait. */
export interface Caller {
  readonly tenant_id: TenantId;
  readonly preference: Preference;
}

export const CallerOf = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Caller => {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    const prefer = headers.prefer;
    return {
      // The configuration lets in nothing but tenant ids.
      tenant_id: tenantOf(context) as TenantId,
      preference: preferenceOf(Array.isArray(prefer) ? prefer.join(',') : prefer),
    };
  },
);
