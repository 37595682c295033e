import { describe, expect, it } from 'vitest'
import type { FeedReport } from '../../../bin/demo/feed.js'
import { describeProgress, ProgressLine } from '../../../bin/demo/progress.js'

const report: FeedReport = {
  phase: 'backfill',
  done: false,
  framesSent: 62_000,
  framesExpected: 248_000,
  framesPerSecond: 93_000,
  seconds: 0.667,
  errors: 0,
  atUs: 0,
  calls: 30_120,
  callsUnderWay: 1_188,
}

function stream(isTTY: boolean, columns = 80) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => written.push(text) }
}

describe('progress line', () => {
  it('is rewritten in place on a terminal, cut to its width', () => {
    const terminal = stream(true, 12)
    const line = new ProgressLine(terminal)
    line.show('one')
    line.show('one')
    line.show('a longer line than fits')
    line.end('done')
    expect(terminal.written).toEqual(['\r\x1b[2Kone', '\r\x1b[2Ka longer li', '\r\x1b[2Kdone\n'])
  })

  it('is now and then a line of its own elsewhere', () => {
    let nowMs = 0
    const file = stream(false)
    const line = new ProgressLine(file, () => nowMs)
    for (; nowMs < 5_000; nowMs += 500) line.show(`at ${nowMs}`)
    line.end('done')
    expect(file.written).toEqual(['at 0\n', 'at 2000\n', 'at 4000\n', 'done\n'])
  })

  it('says how much is done, how fast, and how long it will take', () => {
    expect(describeProgress(report)).toBe(
      'Back-fill 25 %: 62,000 of about 248,000 frames, 93,000 frames/s, 2 s left',
    )
    expect(describeProgress({ ...report, framesSent: 0, framesExpected: 0, framesPerSecond: 0 })).toContain(
      '0 %',
    )
    expect(describeProgress({ ...report, done: true, framesSent: 248_101, seconds: 2.61 })).toBe(
      'Back-fill done: 30,120 calls, 248,101 frames in 2.6 s.',
    )
    expect(describeProgress({ ...report, phase: 'live' })).toBe('Live: 62,000 frames sent, 1,188 calls up.')
  })
})
