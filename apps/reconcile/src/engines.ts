import type { Pool } from 'pg';
import type { EventReader } from '#libs/event-store';
import type { MessageBus } from '#libs/message-bus';

/** What a command works on. Nothing here appends to the event store. */
export interface Engines {
  readonly bus: MessageBus;
  readonly store: EventReader;
  readonly pool: Pool;
  close(): Promise<void>;
}
