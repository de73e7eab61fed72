/**
 * Preloaded into a child whose stdin is a pipe that its parent holds open: when the parent is gone,
 * however it ended, the pipe closes and the child ends as by kill -9.
 */
process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL')).resume();
// A child that has nothing else to do ends by itself.
(process.stdin as typeof process.stdin & { unref(): void }).unref();
