import { Body, Controller, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { RequireScope } from '#libs/http';
import type { FastifyReply } from 'fastify';
import { DescribesBatch, DescribesSpending, DescribesWrite } from './api-responses.js';
import { UsageBatchBody, UsageBody } from './bodies.js';
import { CallerOf, type Caller } from './caller.js';
import { Intake, sendPreferred } from './intake.js';
import { usageRequested } from './ledger-requests.js';
import { batchAnswer, readBatch } from './usage-batch.js';

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
    summary: 'Charge many times',
    description:
      'One that cannot be read does not hold up the others. Waits for the decisions when Prefer ' +
      'says so; whatever is not decided by then is durable, and may be sent again.',
  })
  @DescribesWrite()
  @DescribesBatch()
  async chargeUsageBatch(
    @Body({ schema: UsageBatchBody }) { requests }: UsageBatchBody,
    @CallerOf() caller: Caller,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const batch = readBatch(requests, this.intake.stampOf(caller));
    const { applied, wait_seconds } = caller.preference;
    const wait = applied === undefined ? 0 : wait_seconds;
    const settled = await this.intake.gateway.settle(batch.requests, wait);
    sendPreferred(reply, batchAnswer(batch, settled, wait > 0), caller);
  }
}
