import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { instantOf } from '#libs/contracts';
import { RequireScope, TenantOfKey } from '#libs/http';
import { deadLetters, MAX_USAGE_ROWS, usageSummary } from '#libs/read-models';
import { DeadLetterPage, PriceBookAnswer, PriceBookDecision, SummaryAnswer } from './answers.js';
import { DescribesFound, DescribesRead } from './api-responses.js';
import { FINANCE_PORTS, type FinancePorts } from './ports.js';
import { priceBookAt, readPriceBooks } from './price-books.js';
import {
  DeadLetterQuestion,
  PriceBookQuestion,
  PriceBookRequestPath,
  SummaryQuestion,
} from './questions.js';
import { found, readable } from './reading.js';
import { deadLetterBody } from './views.js';

@ApiTags('Finance')
@RequireScope('read')
@Controller('v1')
export class FinanceController {
  constructor(@Inject(FINANCE_PORTS) private readonly ports: FinancePorts) {}

  @Get('usage/summary')
  @ApiOperation({
    summary: 'What was consumed, by account, operation and day',
    description: `At most ${MAX_USAGE_ROWS} rows; what makes more is refused with 400.`,
  })
  @DescribesRead(SummaryAnswer)
  async summariseUsage(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: SummaryQuestion }) question: SummaryQuestion,
  ) {
    const items = await readable(usageSummary(this.ports.pool, tenant_id, question));
    return { items, next_cursor: null };
  }

  @Get('price-book')
  @ApiOperation({ summary: 'The prices in force, or those of a version' })
  @DescribesFound(PriceBookAnswer)
  async showPriceBook(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: PriceBookQuestion }) { version }: PriceBookQuestion,
  ) {
    const { store, clock } = this.ports;
    const books = await readPriceBooks(store, tenant_id);
    const now = instantOf(clock());
    const what = version === undefined ? 'price book is in force' : `price book ${version}`;
    return found(Promise.resolve(priceBookAt(books, now, version)), what);
  }

  @Get('price-book/requests/:request_id')
  @ApiOperation({ summary: 'What became of a publication: published, or rejected and why' })
  @DescribesFound(PriceBookDecision)
  async showPublication(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: PriceBookRequestPath }) { request_id }: PriceBookRequestPath,
  ) {
    const { decided } = await readPriceBooks(this.ports.store, tenant_id);
    const what = `decision of price book request ${request_id} (yet)`;
    return found(Promise.resolve(decided.get(request_id)), what);
  }

  @Get('dead-letters')
  @ApiOperation({ summary: 'Messages that could not be decided, last filed first' })
  @DescribesRead(DeadLetterPage)
  async listDeadLetters(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: DeadLetterQuestion }) question: DeadLetterQuestion,
  ) {
    const page = await readable(deadLetters(this.ports.pool, tenant_id, question));
    return { ...page, items: page.items.map(deadLetterBody) };
  }
}
