import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Health, HealthKind, HealthReport, Metrics } from '#libs/platform';
import { Public } from './api-key-guard.js';
import { Problem, problemDetails } from './problem.js';

export const HEALTH = Symbol('health');
export const METRICS = Symbol('metrics');

/** For the machine that runs the process; needs no key, shows no data. */
@Public()
@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    @Inject(HEALTH) private readonly health: Health,
    @Inject(METRICS) private readonly metrics: Metrics,
  ) {}

  /** Restart the process when this is not 200. */
  @Get('healthz')
  healthz(): Promise<HealthReport> {
    return this.answer('liveness', 'not_alive');
  }

  /** Send no requests while this is not 200. */
  @Get('readyz')
  readyz(): Promise<HealthReport> {
    return this.answer('readiness', 'not_ready');
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  scrape(): Promise<string> {
    return this.metrics.registry.metrics();
  }

  private async answer(kind: HealthKind, code: string): Promise<HealthReport> {
    const report = await this.health.report(kind);
    if (report.status === 'ok') return report;
    const failing = Object.entries(report.checks).filter(([, result]) => result !== 'ok');
    const detail = failing.map(([name, result]) => `${name}: ${result}`).join('; ');
    throw new Problem(problemDetails(503, code, detail, { checks: report.checks }));
  }
}
