import { ACCOUNT_STREAM_PREFIX, GROUPS, REQUEST_TOPICS, TOPICS } from '#libs/contracts';
import type { EventReader } from '#libs/event-store';
import { lagOf, type MessageBus } from '#libs/message-bus';
import { openDeadLetters, parkedAccounts, projectedUpTo } from '#libs/read-models';
import type { Pool } from 'pg';
import { EXIT, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { counted, grouped as n } from '../table.js';

interface StatusPorts {
  readonly bus: Pick<MessageBus, 'positions'>;
  readonly store: Pick<EventReader, 'readAll'>;
  readonly pool: Pool;
}

/** A projector that is further behind is reported as `at least` so many. */
const MAX_COUNTED = 10_000;

/** Where every worker stands, and what waits for a person. */
export async function status(ports: StatusPorts, out: Output): Promise<ExitCode> {
  const { bus, pool } = ports;
  const writer = await lagByTopic(bus, GROUPS.writer, REQUEST_TOPICS);
  const filer = await lagByTopic(bus, GROUPS.dead_letters, [TOPICS.dead_letters]);
  const { checkpoint, recorded_at, events } = await projectedUpTo(pool);
  const behind = await eventsAfter(ports.store, checkpoint?.position ?? null);
  const parked = await parkedAccounts(pool);
  const dead_letters = await openDeadLetters(pool);
  const facts = {
    writer: { lag: writer },
    projector: { checkpoint, recorded_at, events, behind },
    dead_letters: { open: dead_letters, not_filed: filer },
    parked_accounts: parked,
  };
  out.report('status', facts, () =>
    [
      `writer         ${counted(sum(writer), 'request waits', 'requests wait')} (${lagText(writer)})`,
      `projector      ${counted(events, 'event')} projected, ${behindText(behind)} behind, ` +
        `the last recorded at ${recorded_at ?? 'never'}`,
      `dead letters   ${openText(dead_letters)}, ${n(sum(filer))} not filed yet`,
      `parked         ${parked.length === 0 ? 'no account' : ''}`.trimEnd(),
      ...parked.map(
        ({ tenant_id, account_id, parked_at, reason }) =>
          `  ${tenant_id}/${account_id} since ${parked_at}: ${reason}`,
      ),
    ].join('\n'),
  );
  return EXIT.fine;
}

type Lag = Readonly<Record<string, number>>;

/** Messages that a group has not passed yet, by topic. */
async function lagByTopic(
  bus: StatusPorts['bus'],
  group: string,
  topics: readonly string[],
): Promise<Lag> {
  const lag: Record<string, number> = Object.fromEntries(topics.map((topic) => [topic, 0]));
  for (const position of await bus.positions(group, topics)) {
    lag[position.topic]! += lagOf(position);
  }
  return lag;
}

async function eventsAfter(store: StatusPorts['store'], after: string | null): Promise<number> {
  let behind = 0;
  for await (const batch of store.readAll({
    prefix: ACCOUNT_STREAM_PREFIX,
    after,
    batch_size: 1_000,
  })) {
    behind += batch.length;
    if (behind >= MAX_COUNTED) break;
  }
  return behind;
}

const sum = (lag: Lag): number => Object.values(lag).reduce((total, count) => total + count, 0);

const lagText = (lag: Lag): string =>
  Object.entries(lag)
    .map(([topic, count]) => `${topic} ${n(count)}`)
    .join(', ');

const behindText = (behind: number): string =>
  behind >= MAX_COUNTED ? `at least ${n(MAX_COUNTED)}` : n(behind);

function openText(open: Awaited<ReturnType<typeof openDeadLetters>>): string {
  const total = open.reduce((count, { letters }) => count + letters, 0);
  const reasons = open.map(({ reason, letters }) => `${reason} ${n(letters)}`).join(', ');
  return total === 0 ? 'none open' : `${n(total)} open (${reasons})`;
}
