// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope demo --to`: the generator's calls, real HEP, to a capture that runs elsewhere; until it is stopped. */
import type { SendDemoOptions } from '../commands/options.js'
import { feed } from '../demo/feed.js'
import { describeProgress, ProgressLine } from '../demo/progress.js'

const BACKFILL_S = 3_600

export async function runSendDemo({ seed, callsPerSecond, to, agentKey }: SendDemoOptions): Promise<void> {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const line = new ProgressLine(process.stdout)
  process.stdout.write(`sending invented calls to ${to.transport}://${to.host}:${to.port}; Ctrl-C stops it\n`)
  await feed(
    {
      backfillTo: to,
      liveTo: to,
      seed,
      rate: callsPerSecond,
      backfillS: BACKFILL_S,
      nowUs: Date.now() * 1_000,
      trouble: true,
      agentKey,
    },
    (report) => {
      if (report.phase !== 'backfill') return
      if (report.done) line.end(`${describeProgress(report)} Live now.`)
      else line.show(describeProgress(report))
    },
    stop.signal,
  )
}
