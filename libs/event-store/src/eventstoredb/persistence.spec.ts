import { persist } from './persistence.js';

it('rejects with the reason of the signal, whether it comes in a pause or in a read', async () => {
  for (const read of [
    () => Promise.reject(new Error('away')),
    () => new Promise<never>((_, reject) => setTimeout(reject, 100, new Error('late'))),
  ]) {
    const signal = AbortSignal.timeout(20);
    await expect(
      persist({ attempts: Infinity, signal, on_failure: () => {} }, read),
    ).rejects.toMatchObject({ name: 'TimeoutError' });
  }
});
