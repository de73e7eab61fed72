import { Catch, type ArgumentsHost, type RpcExceptionFilter } from '@nestjs/common';
import { BaseRpcContext, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { isObservable, lastValueFrom, throwError, type Observable } from 'rxjs';
import type {
  BatchControl,
  ConsumeOptions,
  Consumer,
  MessageBus,
  ReceivedMessage,
} from '../port.js';

const BATCH_TRANSPORT = Symbol('batch transport');

/** What a handler gets beside its batch: `@Ctx() context: BatchContext`. */
export class BatchContext extends BaseRpcContext<[BatchControl]> {
  get control(): BatchControl {
    return this.getArgByIndex(0) as BatchControl;
  }
}

/**
 * Lets an error out as it is: Nest would make an "Internal server error" of it, and the bus could not
 * tell a lost partition from a bug. For `@UseFilters` on the handler's controller.
 */
@Catch()
export class PassErrorsOn implements RpcExceptionFilter {
  catch(error: unknown, _host: ArgumentsHost): Observable<never> {
    return throwError(() => error);
  }
}

type BatchTransportOptions = Omit<ConsumeOptions, 'handler'>;

/**
 * Hands whole batches of a consumer group to the `@EventPattern(<group>)` handler of a Nest
 * microservice. The batch is acknowledged when the handler resolves and comes again when it rejects,
 * which is why Nest's own Kafka transport (one message at a time, acknowledged whatever happens) is
 * not used.
 */
export class BatchTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = BATCH_TRANSPORT;
  override readonly propagatesEventHandlerErrors = true;
  #consumer: Consumer | undefined;

  constructor(
    private readonly bus: MessageBus,
    private readonly options: BatchTransportOptions,
  ) {
    super();
  }

  listen(done: (error?: unknown) => void): void {
    this.#join().then(() => done(), done);
  }

  async #join(): Promise<void> {
    const { group } = this.options;
    const handler = this.getHandlerByPattern(group);
    if (!handler) throw new Error(`no @EventPattern('${group}') takes the batches of ${group}`);
    this.#consumer = await this.bus.consume({
      ...this.options,
      handler: async (messages: readonly ReceivedMessage[], control: BatchControl) => {
        const result: unknown = await handler(messages, new BatchContext([control]));
        if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
      },
    });
  }

  /** Partitions held now; none before it listens. */
  assigned(): readonly number[] {
    return this.#consumer?.assigned() ?? [];
  }

  async close(): Promise<void> {
    await this.#consumer?.close();
  }

  on(): void {
    throw new Error('the batch transport has no events; see ConsumeOptions.on_failure');
  }

  unwrap<T>(): T {
    return this.#consumer as T;
  }
}
