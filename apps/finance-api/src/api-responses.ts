import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { DescribesKeyed, DescribesProblem, RETRY_AFTER } from '#libs/http';
import type { z } from 'zod';

const NOT_READABLE = 'What holds the answer cannot be read now: ask again';

/** What every read may answer. */
export const DescribesRead = (answer: z.ZodType) =>
  applyDecorators(
    DescribesKeyed('ask again'),
    DescribesProblem(503, NOT_READABLE, RETRY_AFTER),
    ApiResponse({ status: 200, description: 'As projected', standardSchema: answer }),
  );

/** A read of one thing that may not be there. */
export const DescribesFound = (answer: z.ZodType) =>
  applyDecorators(DescribesRead(answer), DescribesProblem(404, 'Nothing by that id'));

/** A read of one account, which waits for the revision `at_least`. */
export const DescribesOfAccount = (answer: z.ZodType) =>
  applyDecorators(
    DescribesFound(answer),
    DescribesProblem(503, `${NOT_READABLE}; or \`at_least\` was not reached in time`, RETRY_AFTER),
  );
