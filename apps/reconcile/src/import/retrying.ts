import { hash } from 'node:crypto';
import { CallerRequestId, InstantInput } from '#libs/contracts';
import type { GatewayDecision } from './gateway.js';
import type { RowRequest } from './settle-batch.js';

const MAX_ID_LENGTH = 128;

/** Another id than that of the row and of its other retries, and the same one in every run. */
function retryId(first_id: string, retry: number): string {
  const id = `${first_id}:retry-${retry}`;
  if (id.length <= MAX_ID_LENGTH) return id;
  return `retry-${retry}:${hash('sha256', first_id, 'hex')}`;
}

/**
 * The n-th retry of a row whose ids up to now stand for rejections for ever. It happened when the row
 * did: where no column says when, that was just before the row was rejected first.
 */
export const retryOf = (
  request: RowRequest,
  { recorded_at }: GatewayDecision,
  retry: number,
): RowRequest => ({
  ...request,
  body: {
    ...request.body,
    request_id: CallerRequestId.parse(retryId(request.first_id, retry)),
    occurred_at: request.body.occurred_at ?? InstantInput.parse(recorded_at),
  },
});
