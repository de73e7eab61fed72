import { accountKey, encodeRequest, instantOf } from '#libs/contracts';
import type { OutgoingMessage } from '#libs/message-bus';
import type { BenchRequest } from './workload.js';

export const TENANT = 'bench';
const GRANT = '1000000000000';

const envelope = (account_id: string, request_id: string) => ({
  schema: 1 as const,
  tenant_id: TENANT,
  account_id,
  request_id,
  occurred_at: instantOf(Date.now()),
});

export const grant = (account_id: string): OutgoingMessage => ({
  key: accountKey(TENANT, account_id),
  value: encodeRequest({
    ...envelope(account_id, 'grant'),
    type: 'CreditsGrantRequested',
    credits: GRANT,
    kind: 'pack',
  }),
});

export const usage = ({ account_id, request_id, operation }: BenchRequest): OutgoingMessage => ({
  key: accountKey(TENANT, account_id),
  value: encodeRequest({ ...envelope(account_id, request_id), type: 'UsageRequested', operation }),
});
