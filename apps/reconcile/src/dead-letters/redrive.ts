import { accountKey, originalBytes, REPLY_TO_HEADER, type DeadLetterReason } from '#libs/contracts';
import type { MessageBus, OutgoingMessage } from '#libs/message-bus';
import {
  lettersToRedrive,
  markRedriven,
  newestDeadLetter,
  parkedAccounts,
  type FiledDeadLetter,
  type RedriveFilter,
} from '#libs/read-models';
import type { Pool } from 'pg';
import { CouldNotRun, EXIT, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { coordinateText } from '../verify/coordinates.js';

export interface RedrivePorts {
  readonly bus: Pick<MessageBus, 'publish'>;
  readonly pool: Pool;
}

/** Those that another program or a repair may decide; all others would come back as they are. */
export const REDRIVEN_BY_DEFAULT: readonly DeadLetterReason[] = [
  'unknown_schema',
  'unprocessable',
  'account_parked',
];

const PAGE = 500;

/**
 * Publishes dead letters again in the order in which they stood on the bus, and marks them. A crash in
 * between publishes a page twice, which decides nothing twice.
 */
export async function redrive(
  { bus, pool }: RedrivePorts,
  filter: RedriveFilter,
  out: Output,
): Promise<ExitCode> {
  const parked = new Set<string | null>(
    (await parkedAccounts(pool)).map(({ tenant_id, account_id }) =>
      accountKey(tenant_id, account_id),
    ),
  );
  const progress = out.progress('redrive', null);
  // What fails again is filed anew meanwhile, behind everything else: it is the next redrive's.
  const up_to = await newestDeadLetter(pool);
  let [redriven, left] = [0, 0];
  let last: FiledDeadLetter | undefined;
  for (;;) {
    const page = await lettersToRedrive(pool, { ...filter, up_to }, last, PAGE);
    if (page.length === 0) break;
    last = page.at(-1);
    const letters = page.filter(({ key }) => !parked.has(key));
    left += page.length - letters.length;
    await publish(bus, letters);
    await markRedriven(
      pool,
      letters.map(({ source }) => source),
    );
    redriven += letters.length;
    progress.at(redriven);
  }
  progress.stop();
  if (filter.source && redriven + left === 0) {
    const id = coordinateText(filter.source);
    throw new CouldNotRun(`${id} is no dead letter of a request, or was redriven before`);
  }
  out.report('redriven', { redriven, left_parked: left }, () =>
    [
      `${redriven} dead letters published again`,
      ...(left > 0 ? [`${left} left: their accounts are parked, unpark them first`] : []),
    ].join('\n'),
  );
  return EXIT.fine;
}

/** Neighbours of one topic go in one call; the order between calls is kept as well. */
async function publish(
  bus: RedrivePorts['bus'],
  letters: readonly FiledDeadLetter[],
): Promise<void> {
  for (let from = 0; from < letters.length;) {
    const { topic } = letters[from]!.source;
    const next = letters.findIndex(({ source }, n) => n > from && source.topic !== topic);
    const to = next === -1 ? letters.length : next;
    await bus.publish(topic, letters.slice(from, to).map(messageOf));
    from = to;
  }
}

function messageOf(letter: FiledDeadLetter): OutgoingMessage {
  // Whoever waited for the answer has gone.
  const { [REPLY_TO_HEADER]: _reply_to, ...headers } = letter.headers;
  const value = letter.encoding === 'utf8' ? letter.value : originalBytes(letter);
  return { key: letter.key, value, headers };
}
