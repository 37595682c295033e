// tidy: tested by test/collector/store/store-role.test.ts
/**
 * Steps that are tried again, with a growing pause, until they work: what fails is the store, and the bus holds what comes.
 */
const PAUSE_MAX_MS = 10_000
/** A server that has not answered for so long has a problem, whatever its request time-out. */
const SILENT_MS = 4_000

export class Retry {
  readonly #tell: (sentence: string) => void
  readonly #isServer: boolean
  /** When each step that has not been answered was begun. */
  readonly #unanswered = new Map<object, number>()
  /** What keeps a step from working, by step: two run side by side, and one that works says nothing of the other. */
  readonly #problems = new Map<object, string>()
  #isStopping = false

  /** @param isServer the store is a server; the embedded engine is busy with a long statement, not silent */
  constructor(tell: (sentence: string) => void, isServer: boolean) {
    this.#tell = tell
    this.#isServer = isServer
  }

  /** '' while all is well. */
  get problem(): string {
    return [...this.#problems.values()][0] ?? this.#silence()
  }

  /** From now on a step that fails rejects. */
  stop(): void {
    this.#isStopping = true
  }

  async untilItWorks(step: () => Promise<void>): Promise<void> {
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
      this.#unanswered.set(step, performance.now())
      try {
        await step()
        this.#problems.delete(step)
        return
      } catch (error) {
        const sentence = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
        if (this.#problems.size === 0) this.#tell(`the store refuses: ${sentence}; trying again`)
        this.#problems.set(step, sentence)
        if (this.#isStopping) throw error
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
      } finally {
        this.#unanswered.delete(step)
      }
    }
  }

  #silence(): string {
    if (!this.#isServer || this.#unanswered.size === 0) return ''
    const silentMs = performance.now() - Math.min(...this.#unanswered.values())
    return silentMs < SILENT_MS ? '' : `ClickHouse has not answered for ${Math.round(silentMs / 1_000)} s`
  }
}
