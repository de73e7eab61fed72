export { FinanceApiModule } from './finance-api.module.js';
export type { FinancePorts } from './ports.js';
