export { GATEWAY_LIMITS, type GatewayLimits } from './gateway.js';
export { startUsageGateway } from './usage-gateway.js';
export { UsageGatewayModule, type UsageGatewayOptions } from './usage-gateway.module.js';
