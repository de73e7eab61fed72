import { Controller, Inject, UseFilters } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { GROUPS } from '#libs/contracts';
import { PassErrorsOn, type ReceivedMessage } from '#libs/message-bus';
import type { Pool } from 'pg';
import { fileBatch } from './dead-letter-file.js';

export const POOL = Symbol('pool of the read models');

@UseFilters(PassErrorsOn)
@Controller()
export class DeadLetterController {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** Resolves when every letter is filed; rejects to get the batch again. */
  @EventPattern<string>(GROUPS.dead_letters)
  file(@Payload() messages: readonly ReceivedMessage[]): Promise<void> {
    return fileBatch(this.pool, messages);
  }
}
