import { Body, Controller, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { RequireScope } from '#libs/http';
import type { FastifyReply } from 'fastify';
import { DescribesDecision } from './api-responses.js';
import { PriceBookBody } from './bodies.js';
import { CallerOf, type Caller } from './caller.js';
import { Intake } from './intake.js';
import { priceBookRequested } from './ledger-requests.js';

@ApiTags('Price book')
@RequireScope('prices:write')
@Controller('v1/price-book')
export class PriceBookController {
  constructor(private readonly intake: Intake) {}

  @Post()
  @ApiOperation({
    summary: 'Publish a version of the prices',
    description: 'In force from effective_from on. What was charged before keeps its price.',
  })
  @DescribesDecision('`version_exists`, `effective_from_too_soon`')
  publishPriceBook(
    @Body({ schema: PriceBookBody }) body: PriceBookBody,
    @CallerOf() caller: Caller,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.intake.decideOne(caller, reply, body, (stamp) => priceBookRequested(body, stamp));
  }
}
