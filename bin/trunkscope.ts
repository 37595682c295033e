#!/usr/bin/env node
// tidy: tested by test/bin/trunkscope.test.ts
import { failureOf } from './commands/failure.js'
import { runProgram } from './commands/program.js'

// A promise broken where nobody waited for it: say which, and stop; what was accepted is on disk.
process.on('uncaughtException', (error) => {
  const { text, exitCode } = failureOf(error)
  process.stderr.write(text, () => process.exit(exitCode))
})

const exitCode = await runProgram(
  process.argv.slice(2),
  {
    start: async (options) => (await import('./run/start.js')).runStart(options),
    demo: async (options) => (await import('./run/demo.js')).runDemo(options),
    replay: async (options) => (await import('./run/replay.js')).runReplay(options),
  },
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  },
)

// A command that failed half-way may have left sockets and threads behind that would keep the process alive.
if (exitCode !== 0) process.stderr.write('', () => process.exit(exitCode))
