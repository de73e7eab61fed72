import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Inject, Module, UseFilters, type DynamicModule } from '@nestjs/common';
import { Ctx, EventPattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { committedSum, numbered, until } from '../../contract-bench.js';
import { memoryMessageBus } from '../memory/memory-bus.js';
import {
  OwnershipLost,
  type BatchControl,
  type MessageBus,
  type ReceivedMessage,
} from '../port.js';
import { BatchContext, BatchTransport, PassErrorsOn } from './batch-transport.js';

type Work = (messages: readonly ReceivedMessage[], control: BatchControl) => Promise<void>;
const WORK = Symbol('work');

@Controller()
@UseFilters(PassErrorsOn)
class BatchController {
  constructor(@Inject(WORK) private readonly work: Work) {}

  @EventPattern<string>('group')
  async handle(
    @Payload() messages: readonly ReceivedMessage[],
    @Ctx() context: BatchContext,
  ): Promise<void> {
    await this.work(messages, context.control);
  }
}

@Module({})
class BatchModule {
  static register(work: Work): DynamicModule {
    const providers = [{ provide: WORK, useValue: work }];
    return { module: BatchModule, controllers: [BatchController], providers };
  }
}

let bus: MessageBus;
let failures: unknown[];
const ends: (() => Promise<void>)[] = [];

beforeEach(() => {
  bus = memoryMessageBus({ topics: ['a', 'b'], partitions: 4, retry: { min_ms: 5, max_ms: 10 } });
  failures = [];
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await bus.close();
});

async function listen(work: Work, group = 'group'): Promise<BatchTransport> {
  const strategy = new BatchTransport(bus, {
    group,
    topics: ['a', 'b'],
    max_batch: 100,
    on_failure: (error) => failures.push(error),
  });
  const testing = await Test.createTestingModule({
    imports: [BatchModule.register(work)],
  }).compile();
  const app = testing.createNestMicroservice<MicroserviceOptions>({ strategy, logger: false });
  ends.push(() => app.close());
  await app.listen();
  return strategy;
}

it('hands whole batches of all topics to the handler of the group, with its control', async () => {
  const batches: (readonly ReceivedMessage[])[] = [];
  const controls: BatchControl[] = [];
  await bus.publish('a', [...numbered('k', 3), ...numbered('l', 3)]);
  await bus.publish('b', numbered('k', 3));
  await listen(async (messages, control) => {
    await control.heartbeat();
    controls.push(control);
    batches.push(messages);
  });
  await until(() => batches.flat().length === 9);
  expect(batches).toHaveLength(1);
  expect(new Set(batches[0]!.map(({ topic }) => topic))).toEqual(new Set(['a', 'b']));
  expect(controls[0]!.signal.aborted).toBe(false);
  await until(async () => (await committedSum(bus, 'group', 'a')) === 6);
});

it.each([
  ['a plain error', new Error('the database is away')],
  ['a lost partition', new OwnershipLost('it is another’s')],
  ['a mistake', new TypeError('x is undefined')],
])('delivers the batch again when the handler rejects with %s, unchanged', async (_what, error) => {
  const deliveries: (readonly ReceivedMessage[])[] = [];
  await bus.publish('a', numbered('k', 3));
  await listen(async (messages) => {
    deliveries.push(messages);
    if (deliveries.length === 1) throw error;
  });
  await until(async () => (await committedSum(bus, 'group', 'a')) === 3);
  expect(deliveries).toHaveLength(2);
  expect(deliveries[1]).toEqual(deliveries[0]);
  expect(failures).toEqual([error]);
  expect(failures[0]).toBe(error);
});

it('acknowledges nothing before the handler has finished', async () => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  let calls = 0;
  await bus.publish('a', numbered('k', 3));
  await listen(async () => {
    calls++;
    await finished;
  });
  await until(() => calls === 1);
  await sleep(50);
  expect(await committedSum(bus, 'group', 'a')).toBe(0);
  finish();
  await until(async () => (await committedSum(bus, 'group', 'a')) === 3);
});

it('leaves the group when the microservice closes', async () => {
  const got: ReceivedMessage[] = [];
  const transport = await listen(async (messages) => void got.push(...messages));
  await until(() => transport.assigned().length === 4);
  await ends.pop()!();
  await bus.publish('a', numbered('k', 3));
  await sleep(50);
  expect(got).toEqual([]);
  expect(transport.assigned()).toEqual([]);
});

it('refuses to listen for a group that no handler takes', async () => {
  await expect(listen(async () => {}, 'another')).rejects.toThrow("no @EventPattern('another')");
});
