import { describe, expect, it } from 'vitest'
import { type FeedReport, feed } from '../../../bin/demo/feed.js'
import { Traffic } from '../../../bin/demo/traffic.js'
import { troubleBefore } from '../../../bin/demo/trouble.js'
import { tcpSink, udpSink, until } from './sinks.js'

describe('demo feed', () => {
  it('fills in the past over TCP, goes on live over UDP, and stops when told', async () => {
    const [past, present] = [await tcpSink(), await udpSink()]
    const nowUs = Date.now() * 1_000
    const stop = new AbortController()
    const reports: FeedReport[] = []
    const options = { seed: 9, rate: 40, backfillS: 60, trouble: true, nowUs }
    const feeding = feed(
      { ...options, backfillTo: past.to, liveTo: present.to },
      (report) => reports.push(report),
      stop.signal,
    )
    await until(() => present.datagrams.length > 20)
    stop.abort()
    await feeding

    const traffic = new Traffic({ seed: 9, trouble: troubleBefore(nowUs) })
    const filled = [...traffic.backfill(nowUs - 60_000_000, nowUs, 40)]
    expect(past.received().equals(Buffer.concat(filled.map(({ bytes }) => bytes)))).toBe(true)
    const end = reports.find(({ phase, done }) => phase === 'backfill' && done)!
    expect(end).toMatchObject({ framesSent: filled.length, framesExpected: filled.length, errors: 0 })
    expect(reports.at(-1)).toMatchObject({ phase: 'live', done: true, framesExpected: 0 })
    await until(() => present.datagrams.length === reports.at(-1)!.framesSent)
    await Promise.all([past.close(), present.close()])
  })
})
