import { z } from 'zod';
import { ApiKeys, type ApiKey } from './api-keys.js';
import { plainWords } from './plain-words.js';

/** The keys of a JSON list, or of the path of a file that holds one. Adds what is wrong with them. */
export function parseKeys(
  text: string,
  read: (path: string) => string,
  context: z.RefinementCtx,
): ApiKey[] {
  try {
    const result = ApiKeys.safeParse(jsonOf(listIn(text, read)), { error: plainWords });
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
  return z.NEVER;
}

function listIn(text: string, read: (path: string) => string): string {
  if (text.startsWith('[')) return text;
  try {
    return read(text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Error(`no such file: ${shownPath(text)}`);
    throw new Error(`cannot read the file ${shownPath(text)} (${code ?? 'unknown error'})`);
  }
}

/** What is not written like a path may be a key. */
const shownPath = (text: string): string =>
  /^\.{0,2}\/[\w./ @-]*$|\.json$/.test(text) ? text : '(a JSON list begins with [)';

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new Error('not JSON');
  }
}
