import type { WriterPorts } from '#apps/ledger-writer';
import type { GatewayLimits, GatewayPorts } from '#apps/usage-gateway';
import type { Feed, MemberSettings } from '#libs/message-bus';

/** What the lanes of a writer are started with. */
export interface Lanes {
  readonly settings: MemberSettings;
  readonly feed: Feed;
}

export type GatewayBus = GatewayPorts['bus'];

/** A planted defect: what every process of a kind gets instead of what it should. None: all is sound. */
export interface Damage {
  readonly writer?: (ports: WriterPorts) => WriterPorts;
  readonly lanes?: (lanes: Lanes) => Lanes;
  readonly gateway?: (bus: GatewayBus) => GatewayBus;
  readonly limits?: GatewayLimits;
}
