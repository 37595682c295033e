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

test('the order of the legs changes no call', () => {
  const record = fc.record({
    invitedS: fc.integer({ min: 0, max: 5 }),
    direction: fc.constantFrom('inbound', 'outbound'),
    callId: fc.constantFrom('x', 'y', 'z', 'w'),
    session: fc.constantFrom([], [A], [B], [A, B]),
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
