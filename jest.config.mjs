// Packages that ship as ES modules only and are reached by require() from inside Fastify.
const requiredEsm = 'node_modules/(?:cookie|content-disposition)/';

export default {
  testEnvironment: 'node',
  // Jest runs what tsc built; the source maps lead back to the .ts files.
  roots: ['<rootDir>/dist'],
  // A busy machine is slow, not wrong.
  testTimeout: 60_000,
  // Jest keeps what each suite has loaded (see --logHeapUsage), and everything in that process becomes slower:
  // so a worker is replaced between two suites once it has grown to this.
  workerIdleMemoryLimit: '1GB',
  testRegex: '\\.spec\\.js$',
  globalSetup: '<rootDir>/dist/test/keeper-setup.js',
  globalTeardown: '<rootDir>/dist/test/keeper-teardown.js',
  setupFiles: ['reflect-metadata'],
  transform: { [requiredEsm]: '<rootDir>/test/required-esm.mjs' },
  transformIgnorePatterns: [],
  coverageProvider: 'v8',
};
