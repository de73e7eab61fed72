export { GATEWAY_LIMITS, type GatewayLimits } from './gateway.js';
export { startUsageGateway } from './usage-gateway.js';
export { UsageGatewayModule, type UsageGatewayOptions } from './usage-gateway.module.js';
// For the simulation, which does without the web framework.
export { GrantBody, PriceBookBody, UsageBatchBody, UsageBody } from './bodies.js';
export { openGateway, type GatewayPorts } from './gateway.js';
export { GrantsController } from './grants-controller.js';
export { Intake } from './intake.js';
export { preferenceOf } from './prefer.js';
export { PriceBookController } from './price-book-controller.js';
export { UsageController } from './usage-controller.js';
