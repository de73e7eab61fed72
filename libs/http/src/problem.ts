import { STATUS_CODES } from 'node:http';

export const PROBLEM_JSON = 'application/problem+json';

/** One fault of a request. `path` leads to the field, `items[0].quantity`; empty = the whole body. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** RFC 9457 problem details with this project's members; others may follow as extensions. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** For programs: stable, one word per cause. */
  readonly code: string;
  /** For people: what is wrong and what to do. */
  readonly detail: string;
  readonly request_id?: string;
  readonly errors?: readonly FieldError[];
  readonly [extension: string]: unknown;
}

export const problemDetails = (
  status: number,
  code: string,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): ProblemDetails => ({
  type: `urn:usage-ledger:problem:${code}`,
  title: STATUS_CODES[status] ?? 'Error',
  status,
  code,
  detail,
  ...extensions,
});

/** Thrown to end a request with this problem. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly details: ProblemDetails,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(details.detail);
  }
}

/** The body, query or path cannot be read: 400 with every fault. */
export const invalidRequest = (errors: readonly FieldError[]): Problem =>
  new Problem(problemDetails(400, 'invalid_request', summaryOf(errors), { errors }));

function summaryOf(errors: readonly FieldError[]): string {
  const [first, ...others] = errors;
  if (!first) return 'the request cannot be read';
  const told = first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return others.length === 0 ? told : `${told} (and ${others.length} more)`;
}

/** Not known to be accepted; the same request may be sent again after this many seconds. */
export const unavailable = (
  code: string,
  detail: string,
  retry_after_seconds: number,
  extensions: Readonly<Record<string, unknown>> = {},
): Problem =>
  new Problem(problemDetails(503, code, detail, extensions), {
    'retry-after': String(retry_after_seconds),
  });
