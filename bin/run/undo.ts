// tidy: tested by test/pipeline/cluster.test.ts
/** What a start has opened, to be closed in reverse when a later step of it fails. */
export class Undo {
  readonly #steps: (() => Promise<unknown> | unknown)[] = []

  push(step: () => Promise<unknown> | unknown): void {
    this.#steps.push(step)
  }

  /** Runs the start; when it throws, closes what was opened and throws the same. */
  async onFailure(start: () => Promise<void>): Promise<void> {
    try {
      await start()
    } catch (error) {
      for (const step of this.#steps.reverse()) await Promise.resolve(step()).catch(() => {})
      throw error
    }
  }
}
