import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { instantOf } from '#libs/contracts';
import { RequireScope, TenantOfKey } from '#libs/http';
import {
  accounts,
  balance,
  balanceAsOf,
  explain,
  invoice,
  invoices,
  projectedUpTo,
  statement,
} from '#libs/read-models';
import { stringify } from 'csv-stringify/sync';
import type { FastifyReply } from 'fastify';
import {
  AccountPage,
  BalanceAnswer,
  ExplanationAnswer,
  InvoiceAnswer,
  InvoiceList,
  StatementPage,
} from './answers.js';
import { DescribesOfAccount, DescribesRead } from './api-responses.js';
import { FINANCE_PORTS, type FinancePorts } from './ports.js';
import {
  AccountPath,
  AccountQuestion,
  BalanceQuestion,
  InvoicePath,
  PageQuestion,
  periodOfPath,
  RequestPath,
  StatementQuestion,
} from './questions.js';
import { found, readable, refuseBeyond, refuseFuture, waitForOwnWrite } from './reading.js';
import { balanceBody, entryBody, explanationBody, invoiceRows } from './views.js';

@ApiTags('Accounts')
@RequireScope('read')
@Controller('v1/accounts')
export class AccountController {
  constructor(@Inject(FINANCE_PORTS) private readonly ports: FinancePorts) {}

  @Get()
  @ApiOperation({ summary: 'All accounts with their balances, by id' })
  @DescribesRead(AccountPage)
  listAccounts(
    @TenantOfKey() tenant_id: string,
    @Query({ schema: PageQuestion }) page: PageQuestion,
  ) {
    return readable(accounts(this.ports.pool, tenant_id, page));
  }

  @Get(':account_id/balance')
  @ApiOperation({ summary: 'What is left, by grant in burn order; now or as it was' })
  @DescribesOfAccount(BalanceAnswer)
  async showBalance(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: AccountPath }) { account_id }: AccountPath,
    @Query({ schema: BalanceQuestion }) { at_least, as_of }: BalanceQuestion,
  ) {
    const { pool, clock } = this.ports;
    refuseFuture(clock(), as_of);
    await waitForOwnWrite(pool, tenant_id, account_id, at_least);
    const now = instantOf(clock());
    // Asked first: what it tells of was there when the balance was read.
    const up_to = typeof as_of === 'string' ? await readable(projectedUpTo(pool)) : undefined;
    const query =
      as_of === undefined
        ? balance(pool, tenant_id, account_id, now)
        : balanceAsOf(pool, tenant_id, account_id, asOf(as_of));
    const view = await found(query, `account ${account_id}`);
    refuseBeyond(view.revision, as_of);
    return { ...balanceBody(view), ...(up_to && { projected_up_to: up_to.recorded_at }) };
  }

  @Get(':account_id/statement')
  @ApiOperation({ summary: 'What happened, newest first' })
  @DescribesOfAccount(StatementPage)
  async showStatement(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: AccountPath }) { account_id }: AccountPath,
    @Query({ schema: StatementQuestion }) { at_least, ...page }: StatementQuestion,
  ) {
    const { pool } = this.ports;
    await waitForOwnWrite(pool, tenant_id, account_id, at_least);
    const query = statement(pool, tenant_id, account_id, page);
    const { items, ...rest } = await found(query, `account ${account_id}`);
    return { items: items.map(entryBody), ...rest };
  }

  @Get(':account_id/requests/:request_id')
  @ApiOperation({ summary: 'Why was I charged? The whole explanation of one request' })
  @DescribesOfAccount(ExplanationAnswer)
  async explainRequest(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: RequestPath }) { account_id, request_id }: RequestPath,
    @Query({ schema: AccountQuestion }) { at_least }: AccountQuestion,
  ) {
    const { pool } = this.ports;
    await waitForOwnWrite(pool, tenant_id, account_id, at_least);
    const query = explain(pool, tenant_id, account_id, request_id);
    return explanationBody(
      await found(query, `decision of request ${request_id} on account ${account_id} (yet)`),
    );
  }

  @Get(':account_id/invoices')
  @ApiOperation({ summary: 'Invoices, newest period first' })
  @DescribesOfAccount(InvoiceList)
  async listInvoices(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: AccountPath }) { account_id }: AccountPath,
    @Query({ schema: AccountQuestion }) { at_least }: AccountQuestion,
  ) {
    const { pool } = this.ports;
    await waitForOwnWrite(pool, tenant_id, account_id, at_least);
    const items = await found(invoices(pool, tenant_id, account_id), `account ${account_id}`);
    return { items, next_cursor: null };
  }

  @Get(':account_id/invoices/:period')
  @ApiOperation({
    summary: 'One invoice: lines per operation and price version, purchases, totals',
  })
  @ApiProduces('application/json', 'text/csv')
  @DescribesOfAccount(InvoiceAnswer)
  async showInvoice(
    @TenantOfKey() tenant_id: string,
    @Param({ schema: InvoicePath }) { account_id, period }: InvoicePath,
    @Query({ schema: AccountQuestion }) { at_least }: AccountQuestion,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { pool } = this.ports;
    await waitForOwnWrite(pool, tenant_id, account_id, at_least);
    const query = invoice(pool, tenant_id, account_id, periodOfPath(period));
    const found_invoice = await found(query, `account ${account_id}`);
    if (!period.endsWith('.csv')) return { ...found_invoice, adjustments: [] };
    const rows = invoiceRows(found_invoice);
    reply.type('text/csv; charset=utf-8');
    return Buffer.from(stringify(rows, { escape_formulas: true, cast: { bigint: String } }));
  }
}

const asOf = (moment: NonNullable<BalanceQuestion['as_of']>) =>
  typeof moment === 'number' ? { revision: moment } : { instant: moment };
