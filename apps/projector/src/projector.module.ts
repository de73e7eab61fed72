import { Module, type DynamicModule } from '@nestjs/common';
import type { Pool } from 'pg';
import { DeadLetterController, POOL } from './dead-letter.controller.js';

@Module({})
export class ProjectorModule {
  static register(pool: Pool): DynamicModule {
    return {
      module: ProjectorModule,
      controllers: [DeadLetterController],
      providers: [{ provide: POOL, useValue: pool }],
    };
  }
}
