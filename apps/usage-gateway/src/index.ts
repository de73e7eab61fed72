export { GrantBody, PriceBookBody, UsageBatchBody, UsageBody } from './bodies.js';
export {
  GATEWAY_LIMITS,
  openGateway,
  type Gateway,
  type GatewayLimits,
  type GatewayPorts,
} from './gateway.js';
export { GrantsController } from './grants-controller.js';
export { Intake } from './intake.js';
export { preferenceOf } from './prefer.js';
export { PriceBookController } from './price-book-controller.js';
export { UsageController } from './usage-controller.js';
export { startUsageGateway } from './usage-gateway.js';
export { UsageGatewayModule, type UsageGatewayOptions } from './usage-gateway.module.js';
