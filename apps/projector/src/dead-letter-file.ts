import { deadLetterOf, decodeDeadLetter, type DeadLetter } from '#libs/contracts';
import type { ReceivedMessage } from '#libs/message-bus';
import { fileDeadLetters } from '#libs/read-models';
import { isDataError } from '#libs/platform';
import type { Pool } from 'pg';

/**
 * Files a batch of the dead-letter topic; again is harmless. What is no dead letter, or none that the
 * file can hold, is filed as one itself: it must not block those behind it.
 */
export async function fileBatch(pool: Pool, messages: readonly ReceivedMessage[]): Promise<void> {
  try {
    await fileDeadLetters(pool, messages.map(letterIn));
  } catch (error) {
    if (!isDataError(error)) throw error;
    for (const message of messages) await fileOne(pool, message);
  }
}

async function fileOne(pool: Pool, message: ReceivedMessage): Promise<void> {
  try {
    await fileDeadLetters(pool, [letterIn(message)]);
  } catch (error) {
    if (!isDataError(error)) throw error;
    await fileDeadLetters(pool, [deadLetterOf(message, 'undecodable', error.message)]);
  }
}

function letterIn(message: ReceivedMessage): DeadLetter {
  try {
    if (typeof message.value === 'string') return decodeDeadLetter(message.value);
    return deadLetterOf(message, 'undecodable', 'a dead letter is text');
  } catch (error) {
    return deadLetterOf(message, 'undecodable', (error as Error).message);
  }
}
