import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { jest } from '@jest/globals';
import './client-patches.js';

const logger = { debug() {}, warn() {}, error() {}, info() {} };
type Queue = RequestQueue & { throttledUntil: number; pending: unknown[]; destroy(): void };
const createQueue = () =>
  new (RequestQueue as unknown as new (options: object) => Queue)({
    logger,
    maxInFlightRequests: null,
    requestTimeout: 1_000,
  });

describe('client hazard 9: an idle connection costs nothing', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('keeps no timer when nothing waits', () => {
    createQueue().scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('still looks again when something waits, or the broker asked for a pause', () => {
    const waiting = createQueue();
    waiting.pending.push({});
    waiting.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    const throttled = createQueue();
    throttled.throttledUntil = Date.now() + 100;
    throttled.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(2);
  });
});

it('client hazard 5, F17: an offset out of range ends the consumer, and is never replaced', async () => {
  const group = Object.create(ConsumerGroup.prototype) as ConsumerGroup;
  const recovery = group.recoverFromOffsetOutOfRange({ topic: 'ledger.usage', partition: 3 });
  await expect(recovery).rejects.toMatchObject({ name: 'OffsetLost', retriable: false });
});
