import {
  decodeDeadLetter,
  GROUPS,
  InvariantBroken,
  TOPICS,
  type DeadLetter,
  type DeadLetterReason,
  type MessageCoordinate,
} from '#libs/contracts';
import type { MessageBus, MessageValue } from '#libs/message-bus';
import { coordinateText } from '../coordinates.js';
import type { Findings } from './findings.js';
import type { ReadView } from '../read-view.js';
import { filedDeadLetters } from './request-lookup.js';

/** Dead letters on their topic. */
interface DeadLetters {
  /** Not passed by the one who files them, by coordinate text of the original message. */
  readonly unfiled: Map<string, DeadLetterReason>;
  /** Passed by the one who files them. */
  filed: number;
}

/** Every dead letter that its filer has passed must lie in the file. */
export async function checkDeadLetters(
  bus: Pick<MessageBus, 'scan' | 'positions'>,
  query: ReadView['query'],
  findings: Findings,
): Promise<DeadLetters> {
  const letters: DeadLetters = { unfiled: new Map(), filed: 0 };
  const positions = await bus.positions(GROUPS.dead_letters, [TOPICS.dead_letters]);
  const passed = new Map(positions.map(({ partition, committed }) => [partition, committed ?? 0]));
  for await (const messages of bus.scan(TOPICS.dead_letters)) {
    const to_be_filed: { at: MessageCoordinate; source: MessageCoordinate }[] = [];
    for (const { topic, partition, offset, value } of messages) {
      const { source, reason } = readLetter(value) ?? {
        // What is no dead letter is filed as one itself.
        source: { topic, partition, offset },
        reason: 'undecodable',
      };
      if (offset < (passed.get(partition) ?? 0)) {
        to_be_filed.push({ at: { topic, partition, offset }, source });
      } else {
        letters.unfiled.set(coordinateText(source), reason);
      }
    }
    const sources = to_be_filed.map(({ source }) => source);
    const found = await filedDeadLetters({ query }, sources);
    for (const { at, source } of to_be_filed) {
      if (found.has(coordinateText(source))) continue;
      findings.add({
        check: 'dead_letter_not_filed',
        detail: 'passed by its filer, and not in the table',
        left: coordinateText(at),
        right: `ops.dead_letters(${coordinateText(source)})`,
      });
    }
    letters.filed += sources.length;
  }
  return letters;
}

function readLetter(value: MessageValue): DeadLetter | undefined {
  try {
    return typeof value === 'string' ? decodeDeadLetter(value) : undefined;
  } catch (error) {
    if (error instanceof InvariantBroken) return undefined;
    throw error;
  }
}
