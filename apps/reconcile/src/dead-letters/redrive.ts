import {
  accountKey,
  originalBytes,
  REPLY_TO_HEADER,
  withTimeOf,
  type DeadLetterReason,
} from '#libs/contracts';
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
import { CouldNotRun, EXIT, NotFound, type ExitCode } from '../exit-code.js';
import type { Output } from '../output.js';
import { counted } from '../table.js';
import { coordinateText } from '../coordinates.js';

interface RedrivePorts {
  readonly bus: Pick<MessageBus, 'publish'>;
  readonly pool: Pool;
}

/** Those that another program or a repair may decide; all others would come back as they are. */
export const REDRIVEN_BY_DEFAULT: readonly DeadLetterReason[] = [
  'unknown_schema',
  'unprocessable',
  'account_parked',
];

/** Why no program and no repair will ever decide the same bytes; printed for whoever redrives them. */
const HOPELESS: Partial<Record<DeadLetterReason, string>> = {
  undecodable: 'the same bytes are no JSON to any writer: the producer has to send a request',
  wrong_key: 'it would have the same key again: the producer has to send it with the right one',
  wrong_topic: 'it would stand on the same topic again, where nobody may ask for that',
  too_large: 'not all of its bytes are kept: the producer has to send less',
  conflict: 'its id was decided with other content, and stays so: it needs an id of its own',
};

/** When the same bytes may be decided after all; printed when there were such letters. */
const MAY_COME_BACK: Partial<Record<DeadLetterReason, string>> = {
  invalid_request: 'unless a writer was deployed since that takes them',
  occurred_in_future: 'unless the time that they name has come',
};

/** Throws CouldNotRun for a reason that no redrive can help. */
function refuseHopeless(reasons: readonly DeadLetterReason[]): void {
  const why = reasons.flatMap((reason) => {
    const why = HOPELESS[reason];
    return why === undefined ? [] : [`${reason} is not redriven: ${why}`];
  });
  if (why.length > 0) throw new CouldNotRun(why.join('\n'));
}

const PAGE = 500;

/**
 * Publishes dead letters again in the order in which they stood on the bus, and marks them. A crash in
 * between publishes a page twice, which decides nothing twice. Throws CouldNotRun, and publishes
 * nothing, for a reason that no redrive can help.
 */
export async function redrive(
  { bus, pool }: RedrivePorts,
  filter: RedriveFilter,
  out: Output,
): Promise<ExitCode> {
  refuseHopeless(filter.reasons ?? []);
  const parked = new Set<string | null>(
    (await parkedAccounts(pool)).map(({ tenant_id, account_id }) =>
      accountKey(tenant_id, account_id),
    ),
  );
  const progress = out.progress('redrive', null);
  // What fails again is filed anew meanwhile, behind everything else: it is the next redrive's.
  const up_to = await newestDeadLetter(pool);
  let [redriven, left] = [0, 0];
  const may_come_back = new Map<DeadLetterReason, number>();
  let last: FiledDeadLetter | undefined;
  try {
    for (;;) {
      const page = await lettersToRedrive(pool, { ...filter, up_to }, last, PAGE);
      if (page.length === 0) break;
      last = page.at(-1);
      if (filter.reasons === undefined) refuseHopeless(page.map(({ reason }) => reason));
      const letters = page.filter(({ key }) => !parked.has(key));
      left += page.length - letters.length;
      await publish(bus, letters);
      await markRedriven(
        pool,
        letters.map(({ source }) => source),
      );
      redriven += letters.length;
      for (const { reason } of letters) {
        if (!MAY_COME_BACK[reason]) continue;
        may_come_back.set(reason, (may_come_back.get(reason) ?? 0) + 1);
      }
      progress.at(redriven);
    }
  } finally {
    progress.stop();
  }
  if (filter.source && redriven + left === 0) {
    const id = coordinateText(filter.source);
    throw new NotFound(`${id} is no dead letter of a request, or was redriven before`);
  }
  for (const [reason, count] of may_come_back) {
    const but = MAY_COME_BACK[reason];
    out.warn(
      'may_come_back',
      { [reason]: count },
      () => `${count} of them were ${reason}: the same bytes are refused again, ${but}`,
    );
  }
  out.report('redriven', { redriven, left_parked: left }, () =>
    [
      `${counted(redriven, 'dead letter')} published again`,
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

/**
 * The same bytes, but for a request that left its time to the broker: it has that of its first message, or
 * of when that was filed where the broker's clock was ahead.
 */
function valueOf(letter: FiledDeadLetter): OutgoingMessage['value'] {
  if (letter.value === null || letter.encoding !== 'utf8') return originalBytes(letter);
  const { timestamp, filed_at } = letter;
  return withTimeOf(letter.value, filed_at < timestamp ? filed_at : timestamp);
}

function messageOf(letter: FiledDeadLetter): OutgoingMessage {
  // Whoever waited for the answer has gone.
  const { [REPLY_TO_HEADER]: _reply_to, ...headers } = letter.headers;
  return { key: letter.key, value: valueOf(letter), headers };
}
