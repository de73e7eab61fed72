/** The work, or a rejection once that much time has passed; the work itself goes on. */
export async function within<T>(time_ms: number, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: given up after ${time_ms} ms`)), time_ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
