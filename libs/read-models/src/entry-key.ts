import { hash } from 'node:crypto';

const KEY_BYTES = 16;

/**
 * Where an entry is found by its request id: the first 16 bytes of SHA-256 over tenant, account and
 * request id, separated by NUL (which no id holds). A third of the size of the text, and of one size.
 */
export const entryKey = (tenant_id: string, account_id: string, request_id: string): Buffer =>
  hash('sha256', `${tenant_id}\0${account_id}\0${request_id}`, 'buffer').subarray(0, KEY_BYTES);
