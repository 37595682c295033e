import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CallQueue } from '../../../bin/demo/call-queue.js'
import type { TimedMessage } from '../../../bin/demo/calls.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'

const route = DEMO_CARRIERS[0]!.trunks[0]!.toFar
const at = (atUs: number, text: string): TimedMessage => ({ atUs, route, text })

describe('call queue', () => {
  it('gives the messages of all calls in the order of time, and of the earlier call first', () => {
    const timesOfCalls = fc.array(fc.array(fc.nat(50), { minLength: 1, maxLength: 8 }), { maxLength: 30 })
    fc.assert(
      fc.property(timesOfCalls, (calls) => {
        const queue = new CallQueue()
        const all: { atUs: number; number: number; index: number }[] = []
        for (const [number, times] of calls.entries()) {
          times.sort((one, other) => one - other)
          queue.add(
            number,
            times.map((atUs, index) => at(atUs, `${number}.${index}`)),
          )
          for (const [index, atUs] of times.entries()) all.push({ atUs, number, index })
        }
        all.sort((a, b) => a.atUs - b.atUs || a.number - b.number || a.index - b.index)
        for (const { atUs, number, index } of all) {
          expect(queue.nextAtUs).toBe(atUs)
          expect(queue.takeNext().text).toBe(`${number}.${index}`)
        }
        expect([queue.size, queue.nextAtUs]).toEqual([0, Infinity])
      }),
      { numRuns: 200 },
    )
  })
})
