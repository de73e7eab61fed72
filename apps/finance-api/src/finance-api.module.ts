import { Module, type DynamicModule } from '@nestjs/common';
import { AccountController } from './account.controller.js';
import { FinanceController } from './finance.controller.js';
import { FINANCE_PORTS, type FinancePorts } from './ports.js';

/** The read side over HTTP. Give it to `createHttpApp`; whoever opened the engines closes them. */
@Module({})
export class FinanceApiModule {
  static register(ports: FinancePorts): DynamicModule {
    return {
      module: FinanceApiModule,
      controllers: [AccountController, FinanceController],
      providers: [{ provide: FINANCE_PORTS, useValue: ports }],
    };
  }
}
