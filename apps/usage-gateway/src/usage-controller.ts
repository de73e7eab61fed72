import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { UsageRequested } from '#libs/contracts';
import { fieldErrors, RequireScope, type FieldError } from '#libs/http';
import type { FastifyReply } from 'fastify';
import { DescribesSpending, DescribesWrite } from './api-responses.js';
import { UsageBatchAnswer, UsageBatchBody, UsageBody } from './bodies.js';
import { CallerOf, type Caller } from './caller.js';
import { Intake } from './intake.js';
import { futureErrors, usageRequested, type Stamp } from './ledger-requests.js';

@ApiTags('Usage')
@RequireScope('usage:write')
@Controller('v1/usage')
export class UsageController {
  constructor(private readonly intake: Intake) {}

  @Post()
  @ApiOperation({
    summary: 'Charge an account',
    description: 'Once per request_id, however often it is sent. All lines or none.',
  })
  @DescribesSpending()
  chargeUsage(
    @Body({ schema: UsageBody }) body: UsageBody,
    @CallerOf() caller: Caller,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.intake.decideOne(caller, reply, body, (stamp) => usageRequested(body, stamp));
  }

  @Post('batch')
  @ApiOperation({
    summary: 'Charge many times, without waiting for the decisions',
    description: 'One that cannot be read does not hold up the others.',
  })
  @DescribesWrite()
  @HttpCode(202)
  @ApiAcceptedResponse({
    description: 'Every accepted request is durable and will be decided',
    standardSchema: UsageBatchAnswer,
  })
  async acceptUsageBatch(
    @Body({ schema: UsageBatchBody }) { requests }: UsageBatchBody,
    @CallerOf() caller: Caller,
  ): Promise<UsageBatchAnswer> {
    const stamp = this.intake.stampOf(caller);
    const accepted: UsageRequested[] = [];
    const invalid: UsageBatchAnswer['invalid'] = [];
    for (const [index, value] of requests.entries()) {
      const read = readUsage(value, stamp);
      if ('errors' in read) invalid.push({ index, errors: read.errors });
      else accepted.push(read.request);
    }
    await this.intake.gateway.accept(accepted);
    return { accepted: accepted.length, invalid };
  }
}

function readUsage(
  value: unknown,
  stamp: Stamp,
): { request: UsageRequested } | { errors: FieldError[] } {
  const parsed = UsageBody.safeParse(value);
  if (!parsed.success) return { errors: fieldErrors(parsed.error.issues) };
  const errors = futureErrors(parsed.data.occurred_at, stamp.now_ms);
  return errors.length > 0 ? { errors } : { request: usageRequested(parsed.data, stamp) };
}
