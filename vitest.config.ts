import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Minutes of engine in a short file: of all that is left at the end, one core would do this one alone. */
const FIRST = 'test/kpi.test.ts'

/** Without times of an earlier run vitest begins with the files that are long to read. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isFirst = ({ moduleId }: TestSpecification) => moduleId.endsWith(FIRST)
    const sorted = await super.sort(files)
    return [...sorted.filter(isFirst), ...sorted.filter((file) => !isFirst(file))]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes each: npm run test:faults.
    exclude: [...configDefaults.exclude, 'test/faults/**'],
    // Real processes, sockets and an engine with a lock on its folder: a process a test file.
    pool: 'forks',
    // Tests of the cluster wait more than they work: two cores carry two files at a time.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/not-run-reporter.ts'],
  },
})
