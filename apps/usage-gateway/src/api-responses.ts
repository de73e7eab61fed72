import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import { DescribesKeyed, DescribesProblem, RETRY_AFTER, textHeader } from '#libs/http';
import { AcceptedAnswer, DecisionAnswer, RejectionAnswer, UsageBatchAnswer } from './bodies.js';

const REPLAYED = {
  'Idempotent-Replayed': textHeader(
    '`true`: it had been decided before, this is that decision again',
  ),
};
export const APPLIED = { 'Preference-Applied': textHeader('What was done of Prefer') };

/** What every write may answer, decided or not. */
export const DescribesWrite = () =>
  applyDecorators(
    DescribesKeyed('repeat it with the same request_id'),
    DescribesProblem(413, 'The body is larger than 4 MiB'),
    DescribesProblem(415, 'The body is not JSON'),
    DescribesProblem(
      503,
      'Not known to be accepted: repeat it with the same request_id',
      RETRY_AFTER,
    ),
  );

/** A write that may wait for its decision. */
const DescribesWait = (otherwise: string) =>
  ApiHeader({
    name: 'Prefer',
    description:
      `RFC 7240: \`wait=N\` seconds (default ${otherwise}, at most 60); ` +
      '`respond-async` = `wait=0`',
    required: false,
    example: 'wait=5',
  });

/** Many writes, answered with the decisions that were made within the wait. */
export const DescribesBatch = () =>
  applyDecorators(
    HttpCode(200),
    DescribesWait('0'),
    ApiResponse({
      status: 200,
      description: 'Every accepted request is decided',
      standardSchema: UsageBatchAnswer,
      headers: APPLIED,
    }),
    ApiResponse({
      status: 202,
      description: 'Every accepted request is durable; `undecided` of them are not decided yet',
      standardSchema: UsageBatchAnswer,
      headers: APPLIED,
    }),
  );

/** A write about one request, which is answered with its decision. */
export const DescribesDecision = (rejections: string) =>
  applyDecorators(
    HttpCode(200),
    DescribesWrite(),
    DescribesWait('5'),
    ApiResponse({
      status: 200,
      description: 'Done, and durable',
      standardSchema: DecisionAnswer,
      headers: { ...REPLAYED, ...APPLIED },
    }),
    ApiResponse({
      status: 202,
      description: 'Durable, not decided within the wait',
      standardSchema: AcceptedAnswer,
      headers: { Location: textHeader('Where the decision will be found'), ...APPLIED },
    }),
    ApiResponse({
      status: 409,
      description: 'This request_id was used before with other content (both fingerprints)',
      standardSchema: RejectionAnswer,
      headers: APPLIED,
    }),
    ApiResponse({
      status: 422,
      description: `Rejected for ever: ${rejections}. Trying again takes a new request_id`,
      standardSchema: RejectionAnswer,
      headers: { ...REPLAYED, ...APPLIED },
    }),
  );

/** A write that spends credits. */
export const DescribesSpending = () =>
  applyDecorators(
    DescribesDecision('`unknown_operation`, `price_too_large`'),
    ApiResponse({
      status: 402,
      description: '`insufficient_credits`: price and shortfall tell how many are missing',
      standardSchema: RejectionAnswer,
      headers: { ...REPLAYED, ...APPLIED },
    }),
  );
