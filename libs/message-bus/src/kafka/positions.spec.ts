import type { Cluster } from 'kafkajs';
import { positionsOf, requireReadable, sharedPositions } from './positions.js';

/** A log of which, whenever anything is asked, more was written, read, committed and deleted. */
function movingLog() {
  const log = { begin: 0, committed: 0, end: 0 };
  const moveOn = () => {
    log.end += 10;
    log.committed = log.end;
    log.begin = log.end - 5;
  };
  const coordinator = {
    async offsetFetch() {
      moveOn();
      const partitions = [{ partition: 0, offset: String(log.committed) }];
      return { responses: [{ topic: 't', partitions }] };
    },
  };
  return {
    cluster: { findGroupCoordinator: async () => coordinator } as unknown as Cluster,
    leaders: {
      async logEdge(_topic: string, edge: 'begin' | 'end') {
        moveOn();
        return new Map([[0, log[edge]]]);
      },
    },
  };
}

it('F17: a group that goes on while it is asked for stands inside its log', async () => {
  const { cluster, leaders } = movingLog();
  for (let time = 0; time < 5; time += 1) {
    const positions = await positionsOf(cluster, leaders, 'g', ['t']);
    expect(positions).toHaveLength(1);
    requireReadable('g', positions);
  }
});

it.each([
  [2, 't/0 holds 3 to 9 and g stands at 2'],
  [10, 't/0 holds 3 to 9 and g stands at 10'],
])('F17: a group at %i does not', (committed, reason) => {
  const position = { topic: 't', partition: 0, begin: 3, end: 9, committed };
  expect(() => requireReadable('g', [position])).toThrow(reason);
  requireReadable('g', [{ ...position, committed: 3 }]);
  requireReadable('g', [{ ...position, committed: 9 }]);
  requireReadable('g', [{ ...position, committed: null }]);
});

describe('positions that no broker answers', () => {
  const hanging = () => {
    let asked = 0;
    const answers: ((positions: []) => void)[] = [];
    const look = () => {
      asked += 1;
      return new Promise<[]>((resolve) => answers.push(resolve));
    };
    const answer = () => answers.splice(0).forEach((one) => one([]));
    return { look, asked: () => asked, answer };
  };

  it('are asked for once, however many ask, and keep nobody waiting', async () => {
    const { look, asked } = hanging();
    const positions = sharedPositions(look, 20);
    for (let time = 0; time < 3; time += 1)
      await expect(positions('g', ['t'])).rejects.toThrow('given up after 20 ms');
    expect(asked()).toBe(1);
  });

  it('are shared by those who ask the same, and asked for anew afterwards', async () => {
    const { look, asked, answer } = hanging();
    const positions = sharedPositions(look, 60_000);
    const both = [positions('g', ['t']), positions('g', ['t'])];
    answer();
    await Promise.all(both);
    expect(asked()).toBe(1);
    const other = [positions('g', ['t']), positions('g', ['u'])];
    expect(asked()).toBe(3);
    answer();
    await Promise.all(other);
  });
});
