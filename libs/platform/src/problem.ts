import { STATUS_CODES } from 'node:http';

export const PROBLEM_JSON = 'application/problem+json';

/** RFC 9457 problem details with this project's members, and the extensions after them. */
export const problemOf = (
  status: number,
  code: string,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
) => ({
  type: `urn:usage-ledger:problem:${code}`,
  title: STATUS_CODES[status] ?? 'Error',
  status,
  code,
  detail,
  ...extensions,
});
