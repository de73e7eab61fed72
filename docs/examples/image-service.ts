import { Body, Controller, HttpException, Inject, Module, Post } from '@nestjs/common';
import { ledgerClient, type LedgerClient } from './ledger-client.js';

const LEDGER = Symbol('ledger');
const render = (prompt: string) => `https://images.example/${encodeURIComponent(prompt)}.png`;

/** A product that charges 20 credits for an image before it makes one. */
@Controller('images')
class ImagesController {
  constructor(@Inject(LEDGER) private readonly ledger: LedgerClient) {}

  @Post()
  async create(@Body() job: { job_id: string; account_id: string; prompt: string }) {
    // The job's own id is the request's: a repeated job is charged once.
    const charge = await this.ledger.charge({
      account_id: job.account_id,
      request_id: `image:${job.job_id}`,
      operation: 'image.generation',
    });
    // 402 when credits are missing; 409 and 422 are for whoever wrote this service.
    if (charge.outcome !== 'consumed') throw new HttpException(charge, charge.status);
    return { url: render(job.prompt), credits_left: charge.balance_after.available };
  }
}

const { LEDGER_URL: url = 'http://127.0.0.1:8080', LEDGER_API_KEY: key = '' } = process.env;

@Module({
  controllers: [ImagesController],
  providers: [{ provide: LEDGER, useFactory: () => ledgerClient({ url, key }) }],
})
export class ImageServiceModule {}
