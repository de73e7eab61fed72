import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lackOfRoom } from './disk-room.js';

it('tells when there is less room than needed, and how much', async () => {
  expect(await lackOfRoom(tmpdir(), 0)).toBeUndefined();
  expect(await lackOfRoom(tmpdir(), Infinity)).toMatch(/^its disk is full \(\d+ bytes are left\)$/);
});

it('says nothing where nobody can tell', async () => {
  expect(await lackOfRoom(join(tmpdir(), 'no-such-folder'), Infinity)).toBeUndefined();
});
