import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse } from '@nestjs/swagger';
import { API_KEY } from './open-api.js';
import { ProblemDetails } from './problem.js';

type Headers = NonNullable<Parameters<typeof ApiResponse>[0]['headers']>;

/** A header of an answer. */
export const textHeader = (description: string) => ({
  description,
  schema: { type: 'string' as const },
});

/** An answer that is problem details. */
export const DescribesProblem = (status: number, description: string, headers: Headers = {}) =>
  ApiResponse({ status, description, standardSchema: ProblemDetails, headers });

/** The header of a 503: every one of them says when to come again. */
export const RETRY_AFTER: Headers = {
  'Retry-After': textHeader('Seconds until the same request may be sent again'),
};

/** What every route answers that needs a key and reads its input by a schema. */
export const DescribesKeyed = (after_a_failure: string) =>
  applyDecorators(
    ApiBearerAuth(API_KEY),
    DescribesProblem(400, 'It cannot be read; `errors` names every field at fault'),
    DescribesProblem(401, 'No key, or not a known one', {
      'WWW-Authenticate': textHeader('Bearer'),
    }),
    DescribesProblem(403, 'The key does not have the scope'),
    DescribesProblem(500, `Something went wrong here; ${after_a_failure}`),
  );
