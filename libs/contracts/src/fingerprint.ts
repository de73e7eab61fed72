import { hash } from 'node:crypto';
import type { UnsentRequest } from './requests.js';

/**
 * What makes two requests with one id the same request: `v1:` + SHA-256 over the type and the fields
 * listed here, in this order, after `operation`/`quantity` became `items` and before any default is
 * filled in. Left out on purpose: user_id, api_key_id, occurred_at, metadata (a retry may restate
 * them). A change here is a new version, and stored versions are compared by their own rule.
 */
export const fingerprintOf = (request: UnsentRequest): string =>
  `v1:${hash('sha256', JSON.stringify(fingerprintedFields(request)), 'hex')}`;

function fingerprintedFields(request: UnsentRequest): unknown[] {
  switch (request.type) {
    case 'UsageRequested':
      return [request.type, request.items.map((item) => [item.operation, item.quantity])];
    case 'CreditsGrantRequested':
      return [
        request.type,
        request.credits.toString(),
        request.kind,
        request.priority ?? null,
        request.effective_at ?? null,
        request.expires_at ?? null,
        request.paid ? [request.paid.amount_minor, request.paid.currency] : null,
      ];
    case 'SweepRequested':
      return [request.type];
    case 'PriceBookPublishRequested':
      return [
        request.type,
        request.version,
        request.effective_from,
        Object.entries(request.prices)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([operation, price]) => [
            operation,
            price.credits.toString(),
            price.per ?? null,
            price.rounding ?? null,
            price.fixed?.toString() ?? null,
          ]),
      ];
  }
}
