// tidy: tested by test/pipeline/real-capture.test.ts
/** Waits for Ctrl-C, SIGTERM or a failure, and then drains. A second Ctrl-C ends the process at once. */

export interface Running {
  /** Rejects when it ends without being asked to. */
  failed: Promise<never>
  /** Drains and stops. */
  stop(): Promise<void>
}

export async function untilStopped(running: Running, say: (text: string) => void): Promise<void> {
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
  await Promise.race([asked, running.failed]).catch((error: unknown) => {
    failure = error
  })
  say('stopping: storing what was accepted (Ctrl-C again ends at once; nothing accepted is lost)')
  if (failure === undefined) await running.stop()
  else await running.stop().catch(() => {})
  if (failure !== undefined) throw failure
  say('stopped')
}
