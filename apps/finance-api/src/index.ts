export { FinanceApiModule } from './finance-api.module.js';
