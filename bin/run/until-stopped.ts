// tidy: tested by test/pipeline/real-capture.test.ts
/** Waits for Ctrl-C, SIGTERM or a failure, and then drains. A second Ctrl-C ends the process at once. */
import type { Embedded } from './embedded.js'

export async function untilStopped(embedded: Embedded, say: (text: string) => void): Promise<void> {
  let onSignal: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    onSignal = () => {
      process.once('SIGINT', () => process.exit(130))
      resolve()
    }
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
  })
  let failure: unknown
  await Promise.race([asked, embedded.failed]).catch((error: unknown) => {
    failure = error
  })
  say('stopping: storing what was accepted (Ctrl-C again ends at once; nothing accepted is lost)')
  if (failure === undefined) await embedded.stop()
  else await embedded.stop().catch(() => {})
  if (failure !== undefined) throw failure
  say('stopped')
}
