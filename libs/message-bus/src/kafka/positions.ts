import { within } from '#libs/platform';
import type { Cluster } from 'kafkajs';
import type { PartitionPosition } from '../port.js';
import { OffsetLost } from './errors.js';
import type { Leaders, LogEdge } from './leaders.js';

type Look = (group: string, topics: readonly string[]) => Promise<PartitionPosition[]>;

/**
 * A health check asks every few seconds, and while a broker hangs an answer may take minutes: whoever
 * asks what is being asked already shares that answer, and none waits for longer than the limit.
 */
export function sharedPositions(look: Look, limit_ms: number): Look {
  const under_way = new Map<string, Promise<PartitionPosition[]>>();
  return (group, topics) => {
    const question = [group, ...topics].join('/');
    const looking =
      under_way.get(question) ?? look(group, topics).finally(() => under_way.delete(question));
    under_way.set(question, looking);
    return within(limit_ms, looking, `asking where ${group} stands`);
  };
}

/**
 * Where the group stands in each log. Asked in this order, so that a group that goes on meanwhile is
 * never seen outside of it: what it committed had been written before the end is asked for.
 */
export async function positionsOf(
  cluster: Cluster,
  leaders: Pick<Leaders, 'logEdge'>,
  group: string,
  topics: readonly string[],
): Promise<PartitionPosition[]> {
  const edges = (edge: LogEdge) => Promise.all(topics.map((topic) => leaders.logEdge(topic, edge)));
  const begins = await edges('begin');
  const committed = await committedBy(cluster, group, topics, begins);
  const ends = await edges('end');
  return topics.flatMap((topic, index) =>
    [...ends[index]!].map(([partition, end]) => {
      const begin = begins[index]!.get(partition)!;
      const offset = committed.get(`${topic}/${partition}`) ?? -1;
      return { topic, partition, begin, end, committed: offset < 0 ? null : offset };
    }),
  );
}

async function committedBy(
  cluster: Cluster,
  group: string,
  topics: readonly string[],
  logs: readonly ReadonlyMap<number, number>[],
): Promise<Map<string, number>> {
  const coordinator = await cluster.findGroupCoordinator({ groupId: group });
  const { responses } = await coordinator.offsetFetch({
    groupId: group,
    topics: topics.map((topic, index) => ({
      topic,
      partitions: [...logs[index]!.keys()].map((partition) => ({ partition, offset: '-1' })),
    })),
  });
  return new Map(
    responses.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)] as const),
    ),
  );
}

/** Retention or a lost log has taken what the group was to read next: a person decides (F17). */
export function requireReadable(group: string, positions: readonly PartitionPosition[]): void {
  const lost = positions.filter(
    ({ begin, end, committed }) => committed !== null && (committed < begin || committed > end),
  );
  if (lost.length === 0) return;
  const places = lost.map(
    ({ topic, partition, begin, end, committed }) =>
      `${topic}/${partition} holds ${begin} to ${end} and ${group} stands at ${committed}`,
  );
  throw new OffsetLost(places.join('; '));
}
