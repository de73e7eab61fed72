import { Body, Controller, Headers, Post, Res } from '@nestjs/common';
import { ApiConsumes, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import {
  invalidRequest,
  Problem,
  problemAnswer,
  problemDetails,
  readBy,
  RequireScope,
  sendAnswer,
  type Answer,
} from '#libs/http';
import type { FastifyReply } from 'fastify';
import { APPLIED, DescribesSpending } from './api-responses.js';
import { settledAnswer } from './answers.js';
import { EventsAnswer, type UsageBody } from './bodies.js';
import { CallerOf, type Caller } from './caller.js';
import { EventsBody, UsageEvent, UsageEventBatch, withoutNulls } from './cloud-events.js';
import { Intake, sendPreferred } from './intake.js';
import { futureErrors, usageRequested } from './ledger-requests.js';

const STRUCTURED = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';

@ApiTags('Usage')
@RequireScope('usage:write')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly intake: Intake) {}

  @Post()
  @ApiOperation({
    summary: 'Charge by CloudEvents 1.0, one or up to 1,000',
    description:
      'type = operation, subject = account. The request_id is `ce:` and the first 32 hex ' +
      'characters of SHA-256 over source, NUL, id. A single event is answered like POST ' +
      `/v1/usage; a batch (${BATCH}) with one answer per event.`,
  })
  @ApiConsumes(STRUCTURED, BATCH, 'application/json')
  @DescribesSpending()
  @ApiResponse({
    status: 207,
    description: 'A batch, event by event; what has a 2xx status is durable',
    standardSchema: EventsAnswer,
    headers: APPLIED,
  })
  async chargeEvents(
    @Body({ schema: EventsBody }) body: unknown,
    @Headers() headers: Record<string, string | undefined>,
    @CallerOf() caller: Caller,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (isBatch(body, headers)) return this.answerBatch(body, caller, reply);
    const usage = readEvent(body, this.intake.stampOf(caller).now_ms);
    if (!isUsage(usage)) return sendAnswer(reply, usage);
    return this.intake.decideOne(caller, reply, usage, (stamp) => usageRequested(usage, stamp));
  }

  private async answerBatch(body: unknown, caller: Caller, reply: FastifyReply): Promise<void> {
    const listed = readBy(UsageEventBatch, body);
    if ('errors' in listed) throw invalidRequest(listed.errors);
    const stamp = this.intake.stampOf(caller);
    const read = listed.data.map((event) => readEvent(event, stamp.now_ms));
    const requests = read.flatMap((one) => (isUsage(one) ? [usageRequested(one, stamp)] : []));
    const settled = await this.intake.gateway.settle(requests, caller.preference.wait_seconds);
    let next = 0;
    const results = read.map((one, index) => {
      const answer = isUsage(one) ? settledAnswer(requests[next]!, settled, next++) : one;
      return `{"index":${index},"status":${answer.status},"body":${answer.json}}`;
    });
    sendPreferred(reply, { status: 207, json: `{"results":[${results.join()}]}` }, caller);
  }
}

/** The content type distinguishes one from many; application/json leaves it to the body. */
function isBatch(body: unknown, headers: Record<string, string | undefined>): boolean {
  if (headers['ce-specversion'] !== undefined) {
    const detail = `the binary form is not taken; send ${STRUCTURED} or ${BATCH}`;
    throw new Problem(problemDetails(415, 'unsupported_media_type', detail));
  }
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === BATCH) return true;
  return type !== STRUCTURED && Array.isArray(body);
}

/** The usage that an event reports, or why it cannot be read. */
function readEvent(event: unknown, now_ms: number): UsageBody | Answer {
  const read = readBy(UsageEvent, withoutNulls(event));
  const errors =
    'errors' in read ? read.errors : futureErrors(read.data.occurred_at, now_ms, 'time');
  if ('data' in read && errors.length === 0) return read.data;
  return problemAnswer(invalidRequest(errors).details);
}

const isUsage = (one: UsageBody | Answer): one is UsageBody => 'items' in one;
