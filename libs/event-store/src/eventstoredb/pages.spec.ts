import { EventEmitter } from 'node:events';
import type * as grpc from '@grpc/grpc-js';
import { jest } from '@jest/globals';
import { Silence, type Connection } from './connection.js';
import { newPageReader } from './pages.js';

const TIMEOUT_MS = 1_000;
/** A message that says nothing, as a server may send any time. */
const MESSAGE = Buffer.alloc(0);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A page under way over a call that does what the test says. */
async function reading(signal?: AbortSignal) {
  const cancel = jest.fn();
  const call = Object.assign(new EventEmitter(), { cancel });
  const client = { makeServerStreamRequest: () => call } as unknown as grpc.Client;
  const failed = jest.fn(async () => {});
  const connection: Partial<Connection> = {
    open: async () => client,
    callArguments: () => [{} as grpc.Metadata, {}],
    failed,
  };
  const pages = newPageReader(connection as Connection, TIMEOUT_MS);
  const page = pages.read({ of: 'all', from: 'start', count: 10 }, signal);
  const outcome = page.then(
    (read) => read,
    (error: unknown) => error,
  );
  await jest.advanceTimersByTimeAsync(0);
  return { call, client, failed, cancel, outcome };
}

describe('a page', () => {
  it('that says nothing for the timeout ends, and its connection is given up', async () => {
    const { client, failed, cancel, outcome } = await reading();
    await jest.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
    expect(failed).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(await outcome).toBeInstanceOf(Silence);
    expect(failed).toHaveBeenCalledWith(client, expect.any(Silence));
    expect(cancel).toHaveBeenCalled();
  });

  it('may take as long as it likes while messages come', async () => {
    const { call, failed, outcome } = await reading();
    for (let n = 0; n < 5; n += 1) {
      await jest.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
      call.emit('data', MESSAGE);
    }
    call.emit('end');
    expect(await outcome).toMatchObject({ events: [], is_last: true });
    expect(failed).not.toHaveBeenCalled();
  });

  it('ends with its signal, which says nothing of the connection', async () => {
    const ending = new AbortController();
    const { failed, cancel, outcome } = await reading(ending.signal);
    ending.abort(new Error('told to stop'));
    expect(await outcome).toEqual(new Error('told to stop'));
    expect(cancel).toHaveBeenCalled();
    expect(failed).not.toHaveBeenCalled();
  });
});
