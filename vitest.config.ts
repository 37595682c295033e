import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes each: npm run test:faults.
    exclude: [...configDefaults.exclude, 'test/faults/**'],
    // Real processes, sockets and an engine with a lock on its folder: a process a test file.
    pool: 'forks',
    // Tests of the cluster wait more than they work: two cores carry two files at a time.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/not-run-reporter.ts'],
  },
})
