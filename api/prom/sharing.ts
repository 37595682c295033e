/**
 * Keeps a page of panels from asking the same thing twenty times at once: equal questions share an answer for some seconds,
 * and few are worked on at a time.
 *
 * Throws   PromError `timeout` when too many wait.
 */
import { PromError } from './prom-error.js'

const SHARED_MS = 5_000
const ANSWERS_MAX = 256
/** The store has a few connections; what is ahead of them only holds memory. */
const AT_ONCE = 4
const WAITING_MAX = 200

export class SharedAnswers<Answer> {
  readonly #nowMs: () => number
  readonly #answers = new Map<string, { answer: Promise<Answer>; untilMs: number }>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** @param key  says who asks as well as what */
  get(key: string, work: () => Promise<Answer>): Promise<Answer> {
    const nowMs = this.#nowMs()
    const known = this.#answers.get(key)
    if (known !== undefined && known.untilMs > nowMs) return known.answer
    const answer = this.#inTurn(work)
    this.#answers.delete(key)
    this.#answers.set(key, { answer, untilMs: nowMs + SHARED_MS })
    for (const [old, { untilMs }] of this.#answers) {
      if (untilMs > nowMs && this.#answers.size <= ANSWERS_MAX) break
      this.#answers.delete(old)
    }
    // What failed is asked anew by the next.
    answer.catch(() => {
      if (this.#answers.get(key)?.answer === answer) this.#answers.delete(key)
    })
    return answer
  }

  async #inTurn(work: () => Promise<Answer>): Promise<Answer> {
    if (this.#running >= AT_ONCE) {
      if (this.#waiting.length >= WAITING_MAX) {
        throw new PromError('timeout', 'too many queries are waiting; try again in a few seconds')
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
