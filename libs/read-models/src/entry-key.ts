import { hash } from 'node:crypto';

const KEY_DIGITS = 32;

/**
 * Where an entry is found by its request id: the first 16 bytes, in hexadecimal, of SHA-256 over
 * tenant, account and request id, separated by NUL (which no id holds). A third of the size of the
 * text, and of one size.
 */
export const entryKey = (tenant_id: string, account_id: string, request_id: string): string =>
  hash('sha256', `${tenant_id}\0${account_id}\0${request_id}`, 'hex').slice(0, KEY_DIGITS);
