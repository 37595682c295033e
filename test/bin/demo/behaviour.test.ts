import { describe, expect, it } from 'vitest'
import { Behaviour, ENDINGS, endingOf, type Outcome, profileOf } from '../../../bin/demo/behaviour.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'
import { CANCEL_CLASSES, DISPOSITIONS } from '../../../schemas/attempt.js'

describe('demo behaviour', () => {
  it('knows every carrier of the network and no other', () => {
    for (const { id } of DEMO_CARRIERS) expect(profileOf(id).weight).toBeGreaterThan(0)
    expect(() => profileOf('nobody')).toThrow("no carrier 'nobody'")
  })

  it('calls every ending by names the record has, and uses nearly all of them', () => {
    const outcomes = Object.keys(ENDINGS) as Outcome[]
    const dispositions = new Set(outcomes.map((outcome) => endingOf(outcome).disposition))
    for (const disposition of dispositions) expect(DISPOSITIONS).toContain(disposition)
    expect(DISPOSITIONS.filter((each) => !dispositions.has(each))).toEqual(['IDENTITY', 'AUTH', 'CONFIG'])
    expect(new Set(outcomes.map((outcome) => endingOf(outcome).cancelClass ?? '487_NO_CANCEL')).size).toBe(
      CANCEL_CLASSES.length,
    )
  })

  it('lets each ending happen at some carrier', () => {
    const possible = (outcome: Outcome) =>
      DEMO_CARRIERS.some(({ id }) => {
        const { outbound, inbound } = new Behaviour(id).outcomes
        return outbound.share(outcome) + inbound.share(outcome) > 0
      })
    expect((Object.keys(ENDINGS) as Outcome[]).filter((outcome) => !possible(outcome))).toEqual([])
  })
})
