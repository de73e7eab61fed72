import { Controller, Get, Header, Inject } from '@nestjs/common';
import {
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import {
  healthProblem,
  METRICS_TYPE,
  scrape,
  type Health,
  type HealthKind,
  type HealthReport,
  type Metrics,
} from '#libs/platform';
import { Public } from './admission.js';
import { z } from 'zod';
import { Problem, ProblemDetails } from './problem.js';

export const HEALTH = Symbol('health');
export const METRICS = Symbol('metrics');

const WELL = {
  description: 'Every check is ok',
  standardSchema: z
    .strictObject({ status: z.literal('ok'), checks: z.record(z.string(), z.string()) })
    .meta({ id: 'HealthReport' }),
};
const UNWELL = { description: 'A check fails; says which', standardSchema: ProblemDetails };

/** For the machine that runs the process; needs no key, shows no data. */
@Public()
@ApiTags('Operations')
@Controller()
export class HealthController {
  constructor(
    @Inject(HEALTH) private readonly health: Health,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  @Get('healthz')
  @ApiOperation({ summary: 'Restart the process when this is not 200' })
  @ApiOkResponse(WELL)
  @ApiServiceUnavailableResponse(UNWELL)
  healthz(): Promise<HealthReport> {
    return this.answer('liveness');
  }

  @Get('readyz')
  @ApiOperation({ summary: 'Send no requests while this is not 200' })
  @ApiOkResponse(WELL)
  @ApiServiceUnavailableResponse(UNWELL)
  readyz(): Promise<HealthReport> {
    return this.answer('readiness');
  }

  @Get('metrics')
  @ApiOperation({ summary: 'Metrics as Prometheus text' })
  @ApiOkResponse({
    description: 'All metrics of this process',
    content: { [METRICS_TYPE]: { schema: { type: 'string' } } },
  })
  @Header('content-type', METRICS_TYPE)
  scrape(): Promise<string> {
    return scrape(this.metrics, this.health);
  }

  private async answer(kind: HealthKind): Promise<HealthReport> {
    const report = await this.health.report(kind);
    if (report.status === 'ok') return report;
    throw new Problem(healthProblem(kind, report));
  }
}
