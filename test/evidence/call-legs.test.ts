import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CallNames, callLegs } from '../../evidence/call-legs.js'
import type { Leg } from '../../evidence/leg.js'
import { leg } from './legs.js'

const A = 'ab30317f1a784dc48ff824d0d3715d86'
const B = '47755a9de7794ba387653f2099600ef2'

function linked(legs: readonly Leg[], names: Record<string, Partial<CallNames>> = {}) {
  const found = callLegs(
    legs,
    ({ attemptId }) =>
      names[attemptId] === undefined ? undefined : { sessionIds: [], header: '', ...names[attemptId] },
    2_000,
  )
  return new Map(found.map((one) => [one.attemptId, one]))
}
const other = (changes: Parameters<typeof leg>[0] = {}) =>
  leg({ caller: '12155550777', callee: '12155550888', ...changes })

describe('legs of one call', () => {
  test('share a UUID of Session-ID, whichever half it stands in', () => {
    const [a, b, c] = [leg(), other(), other({ caller: '12155550999' })]
    const found = linked([a, b, c], {
      [a.attemptId]: { sessionIds: [A] },
      [b.attemptId]: { sessionIds: [B, A] },
      [c.attemptId]: { sessionIds: ['0'.repeat(31).concat('1')] },
    })
    expect([...found.keys()]).toEqual([a.attemptId, b.attemptId])
    expect(found.get(a.attemptId)).toMatchObject({ rule: 'session_id', confidence: 1 })
    expect(found.get(b.attemptId)?.callKey).toBe(found.get(a.attemptId)?.callKey)
  })

  test('share the configured header, or the Call-ID', () => {
    const [a, b, c] = [leg(), other(), other({ caller: '12155550999' })]
    const found = linked([a, b, { ...c, callId: b.callId }], {
      [a.attemptId]: { header: 'x-1' },
      [b.attemptId]: { header: 'x-1' },
    })
    expect(new Set([...found.values()].map(({ callKey }) => callKey)).size).toBe(1)
    expect([...found.values()].map(({ rule }) => rule)).toEqual(['header', 'header', 'call_id'])
  })

  test('are an inbound leg that is being set up, and the outbound one with the same numbers', () => {
    const a = leg({ direction: 'inbound', party: 'customer', answeredS: 9 })
    const failed = leg({ invitedS: 0.1, cancelledS: 4 })
    const next = leg({ invitedS: 4.2, answeredS: 9, carrier: 'beta' })
    const after = leg({ invitedS: 20, carrier: 'beta' })
    const found = linked([next, after, failed, a])
    expect([...found.keys()].sort()).toEqual([a, failed, next].map(({ attemptId }) => attemptId))
    expect(new Set([...found.values()].map(({ callKey }) => callKey)).size).toBe(1)
    expect(found.get(next.attemptId)).toMatchObject({ rule: 'numbers_time', confidence: 0.9 })
  })

  test('where several inbound legs fit, the newest is taken and said to be unsure; more than four are not told apart', () => {
    const inbound = Array.from({ length: 5 }, (_, at) => leg({ direction: 'inbound', invitedS: at / 10 }))
    const b = leg({ invitedS: 1 })
    const found = linked([...inbound.slice(0, 2), b])
    expect(found.get(b.attemptId)).toMatchObject({
      confidence: 0.5,
      callKey: found.get(inbound[1]!.attemptId)?.callKey,
    })
    expect(linked([...inbound, b]).size).toBe(0)
  })

  test('legs that share a Call-ID go to the inbound leg together', () => {
    const a = leg({ direction: 'inbound' })
    const b = leg({ invitedS: 0.1, cancelledS: 2 })
    const c = leg({ invitedS: 2.1, carrier: 'beta', callId: b.callId })
    const found = linked([a, b, c])
    expect(new Set([...found.values()].map(({ callKey }) => callKey)).size).toBe(1)
    expect(found.get(b.attemptId)).toMatchObject({ rule: 'call_id', confidence: 0.9 })
  })

  test('without an inbound leg the next route joins the one that was given up', () => {
    const b = leg({ cancelledS: 4 })
    const next = leg({ invitedS: 6, carrier: 'beta' })
    expect(linked([b, next]).size).toBe(2)
    expect(linked([b, leg({ invitedS: 6.06, carrier: 'beta' })]).size).toBe(0)
  })

  test('anonymous and empty numbers join nothing', () => {
    const a = leg({ direction: 'inbound', caller: '' })
    expect(linked([a, leg({ invitedS: 0.1, caller: '' })]).size).toBe(0)
  })

  test('a value that more than 64 attempts share is no name of a call', () => {
    const flood = Array.from({ length: 65 }, (_, at) => other({ caller: `1215555${1000 + at}` }))
    const names = Object.fromEntries(flood.map(({ attemptId }) => [attemptId, { sessionIds: [A] }]))
    expect(linked(flood, names).size).toBe(0)
    expect(linked(flood.slice(1), names).size).toBe(64)
  })
})

describe('legs that two agents saw, each on its own clock', () => {
  const FAR = '192.0.2.12/2002'

  test.each([0, -60, 60, 119.9])(
    'share a name, whatever the clocks say within the reach (%s s apart)',
    (skewS) => {
      const a = leg({ direction: 'inbound', party: 'customer' })
      const b = other({ invitedS: 0.1 + skewS, clockAgent: FAR })
      const byName = linked([b, a], {
        [a.attemptId]: { sessionIds: [A] },
        [b.attemptId]: { sessionIds: [B, A] },
      })
      expect([...byName.values()].map(({ rule, confidence }) => [rule, confidence])).toEqual([
        ['session_id', 1],
        ['session_id', 1],
      ])
      const byHeader = linked([a, b], { [a.attemptId]: { header: 'x-1' }, [b.attemptId]: { header: 'x-1' } })
      expect(new Set([...byHeader.values()].map(({ callKey }) => callKey)).size).toBe(1)
      expect(linked([a, { ...b, callId: a.callId }]).size).toBe(2)
    },
  )

  test('share no name across a pause longer than the reach, but names go on from leg to leg', () => {
    const at = (invitedS: number) => ({ ...other({ invitedS }), callId: 'one@example.com' })
    expect(linked([at(0), at(120)]).size).toBe(2)
    expect(linked([at(0), at(120.000001)]).size).toBe(0)
    expect(linked([at(0), at(100), at(200)]).size).toBe(3)
    // A pass that looks at the second pair alone finds the same key.
    const [c, d] = [at(400), at(401)]
    expect(linked([at(0), at(1), c, d]).get(c.attemptId)).toEqual(linked([c, d]).get(c.attemptId))
  })

  test.each([
    ['invited before, by less than clocks may be apart', -2, 9, 1],
    ['by more', -2.000001, 9, 0],
    ['while it is set up', 4, 9, 1],
    ['after it was answered, by less than clocks may be apart', 11, 9, 1],
    ['by more', 11.000001, 9, 0],
  ])('by numbers and time alone are unsure: %s', (_, invitedS, answeredS, links) => {
    const a = leg({ direction: 'inbound', party: 'customer', answeredS })
    const b = leg({ invitedS, clockAgent: FAR })
    const found = linked([b, a])
    expect(found.size).toBe(2 * links)
    if (links === 0) return
    expect(found.get(a.attemptId)).toMatchObject({ rule: 'numbers_time', confidence: 0.5 })
    expect(found.get(b.attemptId)?.callKey).toBe(found.get(a.attemptId)?.callKey)
  })

  test('the inbound leg is what is unsure: routes that one agent saw stay as sure of each other', () => {
    const a = leg({ direction: 'inbound', party: 'customer', answeredS: 9 })
    const failed = leg({ invitedS: 0.1, cancelledS: 4, clockAgent: FAR })
    const next = leg({ invitedS: 4.2, answeredS: 9, carrier: 'beta', clockAgent: FAR })
    const found = linked([a, next, failed])
    expect(new Set([...found.values()].map(({ callKey }) => callKey)).size).toBe(1)
    expect([a, failed, next].map(({ attemptId }) => found.get(attemptId)?.confidence)).toEqual([
      0.5, 0.9, 0.9,
    ])
  })

  test('two of either side are not told apart, nor is a leg that its own agent knows another for', () => {
    const inbound = (invitedS: number) => leg({ direction: 'inbound', party: 'customer', invitedS })
    const outbound = (invitedS: number, clockAgent = FAR) => leg({ invitedS, clockAgent })
    expect(linked([inbound(0), inbound(0.5), outbound(1)]).size).toBe(0)
    expect(linked([inbound(0), outbound(0.5), outbound(1)]).size).toBe(0)
    const [a, own, far] = [inbound(0), outbound(0.1, leg().clockAgent), outbound(0.1)]
    expect([...linked([a, own, far]).keys()].sort()).toEqual([a.attemptId, own.attemptId].sort())
    // Its own agent knows an inbound leg of it.
    const known = [
      inbound(0),
      leg({ direction: 'inbound', party: 'customer', clockAgent: FAR }),
      outbound(0.1),
    ]
    expect([...linked(known).keys()]).not.toContain(known[0]!.attemptId)
    // On one clock there is no give or take.
    const late = leg({ invitedS: 10 })
    expect(linked([leg({ direction: 'inbound', answeredS: 9 }), late, other({ clockAgent: FAR })]).size).toBe(
      0,
    )
    // An outbound leg that failed elsewhere and the next, on two clocks: which was first nobody knows.
    expect(linked([leg({ cancelledS: 4 }), outbound(4.2)]).size).toBe(0)
  })

  test('ten thousand of the same numbers are not compared each with each', () => {
    let looked = 0
    const counted = (one: Leg) =>
      Object.defineProperty({ ...one }, 'cancelledAtUs', {
        enumerable: true,
        get: () => {
          looked++
          return 0
        },
      })
    const flood = Array.from({ length: 10_000 }, (_, at) =>
      counted(
        leg({ invitedS: at / 1_000, ...(at % 2 === 0 ? { direction: 'inbound' } : { clockAgent: FAR }) }),
      ),
    )
    expect(linked(flood).size).toBe(0)
    expect(looked).toBeLessThan(10_000 * 100)
  })
})

test('the order of the legs changes no call', () => {
  const record = fc.record({
    invitedS: fc.integer({ min: 0, max: 5 }),
    direction: fc.constantFrom('inbound', 'outbound'),
    callId: fc.constantFrom('x', 'y', 'z', 'w'),
    session: fc.constantFrom([], [A], [B], [A, B]),
    clockAgent: fc.constantFrom('192.0.2.11/2001', '192.0.2.12/2002'),
    cancelledS: fc.option(fc.integer({ min: 5, max: 8 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), fc.integer(), (records, seed) => {
      const names: Record<string, Partial<CallNames>> = {}
      const legs = records.map(({ session, cancelledS, ...one }) => {
        const made = leg({ ...one, ...(cancelledS === undefined ? {} : { cancelledS }) })
        names[made.attemptId] = { sessionIds: session }
        return made
      })
      const turned = [...legs].sort(
        (a, b) =>
          ((Number(`0x${a.attemptId}`) * 7919 + seed) % 13) -
          ((Number(`0x${b.attemptId}`) * 7919 + seed) % 13),
      )
      const text = (list: readonly Leg[]) =>
        [...linked(list, names).values()].map((one) => JSON.stringify(one)).sort()
      expect(text(turned)).toEqual(text(legs))
    }),
    { numRuns: 300 },
  )
})
