import { Body, Controller, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { RequireScope } from '#libs/http';
import type { FastifyReply } from 'fastify';
import { DescribesDecision } from './api-responses.js';
import { AccountPath, GrantBody } from './bodies.js';
import { CallerOf, type Caller } from './caller.js';
import { Intake } from './intake.js';
import { grantRequested } from './ledger-requests.js';

@ApiTags('Grants')
@RequireScope('grants:write')
@Controller('v1/accounts/:account_id/grants')
export class GrantsController {
  constructor(private readonly intake: Intake) {}

  @Post()
  @ApiOperation({
    summary: 'Give an account credits',
    description: "The grant's id is the request_id.",
  })
  @DescribesDecision('`already_expired`, `too_many_open_grants`')
  grantCredits(
    @Param({ schema: AccountPath }) { account_id }: AccountPath,
    @Body({ schema: GrantBody }) body: GrantBody,
    @CallerOf() caller: Caller,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.intake.decideOne(caller, reply, body, (stamp) =>
      grantRequested(body, account_id, stamp),
    );
  }
}
