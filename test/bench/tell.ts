/** Standard output is for the result. */
export const tell = (text: string): void => void process.stderr.write(`${text}\n`);
