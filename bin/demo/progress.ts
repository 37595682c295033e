/**
 * A line that says how far the back-fill is: rewritten in place on a terminal, now and then a line of its own
 * elsewhere (a log file, a CI run).
 *
 * Takes    reports of the feed.
 * Returns  nothing; writes to the stream it was given.
 * Throws   nothing.
 */
import type { FeedReport } from './feed.js'

export interface ProgressStream {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const PLAIN_EVERY_MS = 2_000
const ERASE_LINE = '\r\x1b[2K'

export class ProgressLine {
  readonly #stream: ProgressStream
  readonly #nowMs: () => number
  #shown = ''
  #shownAtMs = -Infinity

  constructor(stream: ProgressStream, nowMs: () => number = () => performance.now()) {
    this.#stream = stream
    this.#nowMs = nowMs
  }

  /** Shows the text if it is news; without a terminal at most every two seconds. */
  show(text: string): void {
    if (this.#stream.isTTY) {
      const line = text.slice(0, (this.#stream.columns ?? 80) - 1)
      if (line !== this.#shown) this.#stream.write(ERASE_LINE + line)
      this.#shown = line
      return
    }
    if (this.#nowMs() - this.#shownAtMs < PLAIN_EVERY_MS) return
    this.#shownAtMs = this.#nowMs()
    this.#stream.write(`${text}\n`)
  }

  /** The last word; the cursor is on a new line after it. */
  end(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `${ERASE_LINE}${text}\n` : `${text}\n`)
    this.#shown = ''
    this.#shownAtMs = -Infinity
  }
}

/** One report as a sentence. */
export function describeProgress(report: FeedReport): string {
  const { framesSent, framesExpected, framesPerSecond } = report
  if (report.phase === 'live')
    return `Live: ${count(framesSent)} frames sent, ${count(report.callsUnderWay)} calls up.`
  if (report.done) {
    return `Back-fill done: ${count(report.calls)} calls, ${count(framesSent)} frames in ${report.seconds.toFixed(1)} s.`
  }
  const percent = framesExpected > 0 ? Math.floor((100 * framesSent) / framesExpected) : 0
  const leftS = Math.ceil((framesExpected - framesSent) / Math.max(framesPerSecond, 1))
  return (
    `Back-fill ${percent} %: ${count(framesSent)} of about ${count(framesExpected)} frames, ` +
    `${count(framesPerSecond)} frames/s, ${leftS} s left`
  )
}

function count(value: number): string {
  return value.toLocaleString('en-GB')
}
