import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { GROUPS } from '#libs/contracts';
import { BatchContext, PassErrorsOn, type ReceivedMessage } from '#libs/message-bus';
import { handleBatch, type WriterPorts } from './writer.js';

export const WRITER_PORTS = Symbol('writer ports');

@UseFilters(PassErrorsOn)
@Controller()
export class LedgerWriterController {
  constructor(@Inject(WRITER_PORTS) private readonly ports: WriterPorts) {}

  /** Resolves when the batch is decided and durable; rejects to get it again. */
  @EventPattern<string>(GROUPS.writer)
  decide(
    @Payload() messages: readonly ReceivedMessage[],
    @Ctx() context: BatchContext,
  ): Promise<void> {
    return handleBatch(messages, context.control, this.ports);
  }
}
