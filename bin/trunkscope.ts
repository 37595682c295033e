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
    sendDemo: async (options) => (await import('./run/send-demo.js')).runSendDemo(options),
    replay: async (options) => (await import('./run/replay.js')).runReplay(options),
    doctor: async (options) => (await import('./run/doctor.js')).runDoctor(options),
    capture: async (options) => (await import('./run/capture.js')).runCapture(options),
    store: async (options) => (await import('./run/store.js')).runStore(options),
    api: async (options) => (await import('./run/api.js')).runApi(options),
    recompute: async (options) => (await import('./run/recompute.js')).runRecompute(options),
    init: async (options) => (await import('./run/init.js')).runInit(options),
  },
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  },
)

// A command that failed half-way may have left sockets and threads behind that would keep the process alive.
if (exitCode !== 0) process.stderr.write('', () => process.exit(exitCode))
