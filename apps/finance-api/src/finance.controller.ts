import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { instantOf } from '#libs/contracts';
import { RequireScope, TenantOfKey } from '#libs/http';
import {
  deadLetters,
  MAX_SUMMARY_ROWS,
  rejectedGrants,
  rejectionSummary,
  usageSummary,
} from '#libs/read-models';
import {
  DeadLetterPage,
  PriceBookAnswer,
  PriceBookDecision,
  RejectedGrantPage,
  RejectionAnswer,
  SummaryAnswer,
} from './answers.js';
import { DescribesFound, DescribesOfAccount, DescribesRead } from './api-responses.js';
import { FINANCE_PORTS, type FinancePorts } from './ports.js';
import { priceBookAt, readPriceBooks } from './price-books.js';
import {
  DeadLetterQuestion,
  PriceBookQuestion,
  PriceBookRequestPath,
  RejectedGrantQuestion,
  RejectionQuestion,
  SummaryQuestion,
} from './questions.js';
import { found, readable, waitForOwnWrite } from './reading.js';
import { deadLetterBody } from './views.js';

const AT_MOST = `At most ${MAX_SUMMARY_ROWS} rows; what makes more is refused with 400.`;

@ApiTags('Finance')
@RequireScope('read')
@Controller('v1')
export class FinanceController {
  constructor(@Inject(FINANCE_PORTS) private readonly ports: FinancePorts) {}

  @Get('usage/summary')
  @ApiOperation({
    summary: 'What was consumed, by account, operation, period and day',
    description: AT_MOST,
  })
  @DescribesOfAccount(SummaryAnswer)
  async summariseUsage(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: SummaryQuestion }) question: SummaryQuestion,
  ) {
    const { pool } = this.ports;
    await this.waitFor(tenant_id, question);
    const summary = await found(usageSummary(pool, tenant_id, question), accountOf(question));
    return { ...summary, next_cursor: null };
  }

  @Get('usage/rejections')
  @ApiOperation({
    summary: 'Usage that was rejected and not charged, by account, reason, operation, period, day',
    description:
      'How many requests, and what they would have cost. A request that is asked again under a new ' +
      `id and rejected again counts again. ${AT_MOST}`,
  })
  @DescribesOfAccount(RejectionAnswer)
  async summariseRejections(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: RejectionQuestion }) question: RejectionQuestion,
  ) {
    const { pool } = this.ports;
    await this.waitFor(tenant_id, question);
    const summary = await found(rejectionSummary(pool, tenant_id, question), accountOf(question));
    return { ...summary, next_cursor: null };
  }

  @Get('grants/rejections')
  @ApiOperation({
    summary:
      'Grants that were rejected, latest occurred_at first; with `paid=true` refused payments',
    description:
      'What was paid for a grant that was rejected is on no invoice: it is to be paid back, or the ' +
      'credits granted under a new request_id. What is done about it is not recorded here.',
  })
  @DescribesOfAccount(RejectedGrantPage)
  async listRejectedGrants(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: RejectedGrantQuestion }) question: RejectedGrantQuestion,
  ) {
    await this.waitFor(tenant_id, question);
    return found(rejectedGrants(this.ports.pool, tenant_id, question), accountOf(question));
  }

  @Get('price-book')
  @ApiOperation({ summary: 'The prices in force, or those of a version' })
  @DescribesFound(PriceBookAnswer)
  async showPriceBook(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: PriceBookQuestion }) { version }: PriceBookQuestion,
  ) {
    const { store, clock } = this.ports;
    const books = await readable(readPriceBooks(store, tenant_id));
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
    const { decided } = await readable(readPriceBooks(this.ports.store, tenant_id));
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

  /** Of all accounts there is no revision to wait for. */
  private async waitFor(tenant_id: string, { account_id, at_least }: OfAccount): Promise<void> {
    if (account_id === undefined) return;
    await waitForOwnWrite(this.ports.pool, tenant_id, account_id, at_least);
  }
}

type OfAccount = Pick<SummaryQuestion, 'account_id' | 'at_least'>;

const accountOf = ({ account_id }: OfAccount): string => `account ${account_id}`;
