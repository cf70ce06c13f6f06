import { defineConfig } from 'vitest/config';

// The quick suites only. Proofs that run for minutes (the simulation, the crash tests, the benchmarks) are programs
// of their own: `npm run sim`, `npm run torture`, `npm run bench`.
export default defineConfig({
  test: {
    // One process per file: node:sqlite and worker threads keep handles that must not be shared between files.
    pool: 'forks',
    isolate: true,
    maxWorkers: 2,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Bounds of a busy machine; nobody waits for them where all goes well.
    testTimeout: 60_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 30_000 } },
    teardownTimeout: 10_000,
    slowTestThreshold: 1_000,
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'server',
          globalSetup: ['server/tests/support/servers/install.ts'],
          include: ['server/tests/**/*.test.ts'],
          exclude: ['server/tests/tidy/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'tidy',
          include: ['server/tests/tidy/**/*.test.ts'],
        },
      },
    ],
  },
});
