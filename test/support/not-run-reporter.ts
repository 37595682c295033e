/** Lists at the end what did not run and why: the default reporter only counts it, and a skipped test is no passed one. */
import type { Reporter, TestModule } from 'vitest/node'

export default class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        // Without a note it was left out by a filter of the command line.
        if (result.state !== 'skipped' || result.note === undefined) continue
        lines.push(`   ${module.relativeModuleId} › ${test.fullName}: ${result.note}`)
      }
    }
    if (lines.length > 0) process.stdout.write(`\n  Not run:\n${lines.join('\n')}\n`)
  }
}
