import { problemOf } from '#libs/platform';
import { z } from 'zod';

/** One fault of a request. */
export const FieldError = z.strictObject({
  path: z.string().meta({
    description: 'Leads to the field; empty for the whole body',
    example: 'items[0].quantity',
  }),
  message: z.string(),
});
export type FieldError = z.infer<typeof FieldError>;

/** Every `code` of a problem that is no decision; docs/outcomes.md says what a caller does. */
export const PROBLEM_CODES = [
  'invalid_request',
  'bad_url',
  'unauthorized',
  'missing_scope',
  'no_such_route',
  'not_found',
  'body_too_large',
  'uri_too_long',
  'unsupported_media_type',
  'refused',
  'internal_error',
  'not_known_to_be_accepted',
  'too_many_in_flight',
  'not_yet_projected',
  'not_readable',
  'not_ready',
  'not_alive',
] as const;
type ProblemCode = (typeof PROBLEM_CODES)[number];

/** RFC 9457 problem details with this project's members; others may follow as extensions. */
export const ProblemDetails = z
  .looseObject({
    type: z.string().meta({ example: 'urn:usage-ledger:problem:invalid_request' }),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'For programs: stable, one word per cause' }),
    detail: z.string().meta({ description: 'For people: what is wrong and what to do' }),
    request_id: z.string().optional().meta({ description: "The caller's id, when it is known" }),
    errors: z.array(FieldError).optional().meta({ description: 'Bad input, field by field' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type ProblemDetails = z.infer<typeof ProblemDetails>;

/** `problemDetails<Code>` for a code that is none of `PROBLEM_CODES`: the reason of a rejection. */
export const problemDetails = <Code extends string = ProblemCode>(
  status: number,
  code: NoInfer<Code>,
  detail: string,
  extensions: Readonly<Record<string, unknown>> = {},
): ProblemDetails => problemOf(status, code, detail, extensions);

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
  new Problem(problemDetails(400, 'invalid_request', summaryOf(errors), { errors: [...errors] }));

function summaryOf(errors: readonly FieldError[]): string {
  const [first, ...others] = errors;
  if (!first) return 'the request cannot be read';
  const text = first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return others.length === 0 ? text : `${text} (and ${others.length} more)`;
}

/** Not known to be accepted; the same request may be sent again after this many seconds. */
export const unavailable = (
  code: ProblemCode,
  detail: string,
  retry_after_seconds: number,
  extensions: Readonly<Record<string, unknown>> = {},
): Problem =>
  new Problem(problemDetails(503, code, detail, extensions), {
    'retry-after': String(retry_after_seconds),
  });
