import { Module, type DynamicModule } from '@nestjs/common';
import { systemClock, type Clock } from '#libs/platform';
import { EventsController } from './events-controller.js';
import { openGateway, type GatewayLimits, type GatewayPorts } from './gateway.js';
import { GrantsController } from './grants-controller.js';
import { CLOCK, GATEWAY, Intake } from './intake.js';
import { PriceBookController } from './price-book-controller.js';
import { UsageController } from './usage-controller.js';

export interface UsageGatewayOptions extends GatewayPorts {
  readonly clock?: Clock;
  readonly limits?: GatewayLimits;
}

/** The write side over HTTP. Give it to `createHttpApp`; whoever opened the bus closes it. */
@Module({})
export class UsageGatewayModule {
  static register({ clock = systemClock, limits, ...ports }: UsageGatewayOptions): DynamicModule {
    return {
      module: UsageGatewayModule,
      controllers: [UsageController, EventsController, GrantsController, PriceBookController],
      providers: [
        { provide: GATEWAY, useFactory: () => openGateway(ports, limits) },
        { provide: CLOCK, useValue: clock },
        Intake,
      ],
    };
  }
}
