/** Jest's globalTeardown. */
export default async function teardown(): Promise<void> {
  await globalThis.endTestServers?.();
}
