import {
  GROUPS,
  instantOf,
  MAX_RECORD_AHEAD_MS,
  REQUEST_TOPICS,
  type Instant,
  type MessageCoordinate,
} from '#libs/contracts';
import type { MessageBus, ReceivedMessage } from '#libs/message-bus';
import { databaseTimeMs, setAside, setAsideAmong } from '#libs/read-models';
import type { Pool } from 'pg';
import { coordinateText } from '../coordinates.js';
import { EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { counted, tableHeader, tableRow, type Column } from '../table.js';

/** What there is to know of a request that is ahead; its bytes may be many. */
type Ahead = Pick<ReceivedMessage, 'topic' | 'partition' | 'offset' | 'timestamp' | 'key'>;

interface SetAsidePorts {
  readonly bus: Pick<MessageBus, 'positions' | 'scan'>;
  readonly pool: Pool;
  readonly clock: () => number;
}

/**
 * By how much more than for a writer it must be ahead: a writer that looked before it was set aside is too
 * early to decide it, as long as no two clocks differ by more than this.
 */
const CLOCKS_DIFFER_MS = 60_000;

const COLUMNS: readonly Column[] = [
  { name: 'message', width: 24, align: 'left' },
  { name: 'stamped', width: 24, align: 'left' },
  { name: 'key', width: 24, align: 'left' },
];

/** What waits for the time of its stamp, and was not set aside. */
export async function listAhead(ports: SetAsidePorts, out: Output): Promise<ExitCode> {
  const { ahead } = await findAhead(ports);
  const facts = { waiting: ahead.length };
  if (ahead.length === 0) {
    out.report('waiting', facts, () => 'no request waits for the time of its stamp');
    return EXIT.fine;
  }
  out.report('waiting', facts, () => tableHeader(COLUMNS));
  for (const { topic, partition, offset, timestamp, key } of ahead) {
    const source = { topic, partition, offset };
    out.report('ahead', { source, timestamp, key }, () =>
      tableRow(COLUMNS, [coordinateText(source), timestamp, key ?? '(none)']),
    );
  }
  return EXIT.fine;
}

/**
 * Has every writer refuse these messages, or all that are far ahead. Throws NotFound, and sets nothing
 * aside, when one of them is not: once a writer may decide it, only one that knows nothing of it might.
 */
export async function setAheadAside(
  ports: SetAsidePorts,
  wanted: readonly MessageCoordinate[] | 'all',
  out: Output,
): Promise<ExitCode> {
  const { ahead, latest } = await findAhead(ports);
  const by_place = new Map(ahead.map((message) => [coordinateText(message), message]));
  const named = (source: MessageCoordinate): Ahead => {
    const message = by_place.get(coordinateText(source));
    if (message) return message;
    throw new NotFound(
      `${coordinateText(source)} does not wait for a writer, is not stamped after ${latest}, or was ` +
        'set aside before: nothing was done',
    );
  };
  const chosen = wanted === 'all' ? ahead : wanted.map(named);
  // Finding them took its time: a writer may have come to some.
  const { isAhead } = await look(ports);
  const late = chosen.find((message) => !isAhead(message));
  if (late && wanted !== 'all') {
    throw new NotFound(`${coordinateText(late)} waits no longer: nothing was done`);
  }
  const count = await setAside(ports.pool, chosen.filter(isAhead));
  out.report('set_aside', { set_aside: count }, () =>
    [
      `${counted(count, 'request')} set aside: writers make dead letters of them`,
      "once the broker's clock is right: usage-ledger redrive --reason stamped_in_future",
    ].join('\n'),
  );
  return EXIT.fine;
}

interface Look {
  /** What is stamped after this can be set aside. */
  readonly latest: Instant;
  /** Whether it is, and waits for a writer. */
  readonly isAhead: (message: Ahead) => boolean;
}

async function look({ bus, pool, clock }: SetAsidePorts): Promise<Look> {
  // Were one of the clocks behind, healthy requests would seem to be ahead.
  const now_ms = Math.max(clock(), await databaseTimeMs(pool));
  const latest = instantOf(now_ms + MAX_RECORD_AHEAD_MS + CLOCKS_DIFFER_MS);
  const passed = new Map<string, number>();
  for (const { topic, partition, committed } of await bus.positions(GROUPS.writer, REQUEST_TOPICS))
    passed.set(`${topic}/${partition}`, committed ?? 0);
  return {
    latest,
    isAhead: ({ topic, partition, offset, timestamp }) =>
      timestamp > latest && offset >= (passed.get(`${topic}/${partition}`) ?? 0),
  };
}

/** What can be set aside, and was not. */
async function findAhead(
  ports: SetAsidePorts,
): Promise<{ ahead: readonly Ahead[]; latest: Instant }> {
  const { latest, isAhead } = await look(ports);
  const ahead: Ahead[] = [];
  for (const topic of REQUEST_TOPICS) {
    for await (const messages of ports.bus.scan(topic)) {
      const far = messages.filter(isAhead);
      if (far.length === 0) continue;
      const before = await setAsideAmong(ports.pool, far);
      for (const message of far) {
        const { partition, offset, timestamp, key } = message;
        if (!before.has(message)) ahead.push({ topic, partition, offset, timestamp, key });
      }
    }
  }
  return { ahead, latest };
}
