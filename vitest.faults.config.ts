import { defineConfig } from 'vitest/config'

/** The long loops: `npm run test:faults`. Each has the machine for itself, and says in a line what it did. */
export default defineConfig({
  test: {
    include: ['test/faults/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 3_600_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/support/not-run-reporter.ts'],
  },
})
