import type { Consumer } from '../port.js';
import { openConsumers } from './open-consumers.js';

function counting() {
  let closes = 0;
  const consumer: Consumer = { assigned: () => [3], close: async () => void closes++ };
  return { consumer, closes: () => closes };
}

it('closes what is still open, and once', async () => {
  const consumers = openConsumers();
  const [first, second] = [counting(), counting()];
  const kept = await consumers.keep(first.consumer);
  expect(kept.assigned()).toEqual([3]);
  await consumers.keep(second.consumer);
  await kept.close();
  await consumers.close();
  expect([first.closes(), second.closes()]).toEqual([1, 1]);
});

it('closes what has only started when the connection was closed already', async () => {
  const consumers = openConsumers();
  await consumers.close();
  const late = counting();
  await expect(consumers.keep(late.consumer)).rejects.toThrow('the message bus is closed');
  expect(late.closes()).toBe(1);
});
