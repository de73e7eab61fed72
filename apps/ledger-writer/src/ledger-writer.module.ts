import { Module, type DynamicModule } from '@nestjs/common';
import { LedgerWriterController, WRITER_PORTS } from './ledger-writer.controller.js';
import type { WriterPorts } from './writer.js';

@Module({})
export class LedgerWriterModule {
  static register(ports: WriterPorts): DynamicModule {
    return {
      module: LedgerWriterModule,
      controllers: [LedgerWriterController],
      providers: [{ provide: WRITER_PORTS, useValue: ports }],
    };
  }
}
