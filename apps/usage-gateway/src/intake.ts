import { Inject, Injectable } from '@nestjs/common';
import type { Instant, UnsentRequest } from '#libs/contracts';
import { invalidRequest, sendAnswer, type Answer } from '#libs/http';
import type { Clock } from '#libs/platform';
import type { FastifyReply } from 'fastify';
import { settledAnswer } from './answers.js';
import type { Caller } from './caller.js';
import type { Gateway } from './gateway.js';
import { futureErrors, type Stamp } from './ledger-requests.js';

export const GATEWAY = Symbol('gateway');
export const CLOCK = Symbol('clock');

/** Stamps what a controller has read, passes it to the gateway and answers its caller. */
@Injectable()
export class Intake {
  constructor(
    @Inject(GATEWAY) readonly gateway: Gateway,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  stampOf({ tenant_id }: Pick<Caller, 'tenant_id'>): Stamp {
    return { tenant_id, now_ms: this.clock() };
  }

  /** One request, answered with its decision. */
  async decideOne(
    caller: Caller,
    reply: FastifyReply,
    body: { readonly occurred_at?: Instant | undefined },
    requestOf: (stamp: Stamp) => UnsentRequest,
  ): Promise<void> {
    const stamp = this.stampOf(caller);
    const errors = futureErrors(body.occurred_at, stamp.now_ms);
    if (errors.length > 0) throw invalidRequest(errors);
    const request = requestOf(stamp);
    const settled = await this.gateway.settle([request], caller.preference.wait_seconds);
    sendPreferred(reply, settledAnswer(request, settled, 0), caller);
  }
}

/** Sends the answer and says what was done of the caller's preference. */
export function sendPreferred(reply: FastifyReply, answer: Answer, { preference }: Caller): void {
  if (preference.applied !== undefined) reply.header('preference-applied', preference.applied);
  sendAnswer(reply, answer);
}
