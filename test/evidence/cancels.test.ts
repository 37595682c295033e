import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CallOf, cancelVerdicts } from '../../evidence/cancels.js'
import type { Leg } from '../../evidence/leg.js'
import { leg } from './legs.js'

const THRESHOLDS = { sibling_answer_ms: 1_000, route_advance_ms: 2_000 }
const NO_CALL: CallOf = () => undefined
const sameCall =
  (...legs: readonly Leg[]): CallOf =>
  ({ attemptId }) =>
    legs.some((one) => one.attemptId === attemptId)
      ? { callKey: 'c'.repeat(32), rule: 'session_id' }
      : undefined
const classOf = (of: Leg, legs: readonly Leg[], callOf: CallOf = NO_CALL) =>
  cancelVerdicts(legs, callOf, THRESHOLDS).find(({ attemptId }) => attemptId === of.attemptId)?.judgement
    .cancelClass

describe('completed elsewhere', () => {
  test.each([
    [5, 6, 'ELSEWHERE'],
    [5, 6.000001, undefined],
    [6, 5, 'ELSEWHERE'],
    [6.000001, 5, undefined],
    [5, 5, 'ELSEWHERE'],
  ])('cancelled at %s s, a sibling answered at %s s: %s', (cancelledS, answeredS, expected) => {
    const lost = leg({ cancelledS, rang: true, callee: '12155550111' })
    const won = leg({ answeredS, carrier: 'beta', callee: '12155550222' })
    expect(classOf(lost, [lost, won], sameCall(lost, won))).toBe(expected)
  })

  test('is taken out of NER and of the service level', () => {
    const lost = leg({ cancelledS: 5, rang: true })
    const won = leg({ answeredS: 5, carrier: 'beta' })
    const [verdict] = cancelVerdicts([lost, won], NO_CALL, THRESHOLDS)
    expect(verdict?.judgement).toEqual({
      disposition: 'ELSEWHERE',
      sli: 'excluded',
      nerNumerator: 0,
      nerDenominator: 0,
      cancelClass: 'ELSEWHERE',
    })
    expect(verdict?.evidence).toMatchObject({ attemptId: won.attemptId, laterMs: 0, link: 'numbers' })
  })

  test('a 487 without a CANCEL counts from its final response', () => {
    const lost = leg({
      state: 'closed',
      finalAtUs: leg({ answeredS: 5 }).answeredAtUs,
      cancelClass: '487_NO_CANCEL',
      disposition: 'UNKNOWN',
    })
    const won = leg({ answeredS: 5.5, carrier: 'beta' })
    expect(classOf(lost, [lost, won], sameCall(lost, won))).toBe('ELSEWHERE')
  })

  test('the A-leg is no sibling of its B-legs', () => {
    const b = leg({ cancelledS: 5, rang: true })
    const a = leg({ answeredS: 5, direction: 'inbound', party: 'customer' })
    expect(classOf(b, [a, b], sameCall(a, b))).toBeUndefined()
  })

  test('another agent’s clock says nothing', () => {
    const lost = leg({ cancelledS: 5, rang: true })
    const won = leg({ answeredS: 5, carrier: 'beta', clockAgent: '192.0.2.12/2002' })
    expect(classOf(lost, [lost, won], sameCall(lost, won))).toBeUndefined()
  })

  test('the same numbers at once in more than four legs are several calls: nobody can tell', () => {
    const lost = leg({ cancelledS: 5, rang: true })
    const won = leg({ answeredS: 5 })
    const others = Array.from({ length: 3 }, () => leg({ rang: true }))
    expect(classOf(lost, [lost, won, ...others.slice(0, 2)])).toBe('ELSEWHERE')
    expect(classOf(lost, [lost, won, ...others])).toBeUndefined()
  })

  test('numbers do not join what is known to be of two calls', () => {
    const lost = leg({ cancelledS: 5, rang: true })
    const won = leg({ answeredS: 5, carrier: 'beta' })
    const ownCalls: CallOf = ({ attemptId }) => ({ callKey: attemptId, rule: 'session_id' })
    expect(classOf(lost, [lost, won], ownCalls)).toBeUndefined()
  })
})

describe('route advance', () => {
  test.each([
    [5, undefined],
    [5.000001, 'ROUTE_ADVANCE'],
    [7, 'ROUTE_ADVANCE'],
    [7.000001, undefined],
  ])('CANCEL at 5 s, INVITE to another carrier at %s s: %s', (invitedS, expected) => {
    const slow = leg({ cancelledS: 5 })
    const next = leg({ invitedS, carrier: 'beta' })
    expect(classOf(slow, [slow, next])).toBe(expected)
  })

  test('is the carrier’s fault before ringing, and nobody’s after it', () => {
    const judged = (rang: boolean) => {
      const slow = leg({ cancelledS: 5, rang })
      return cancelVerdicts([slow, leg({ invitedS: 5.2, carrier: 'beta' })], NO_CALL, THRESHOLDS)[0]
        ?.judgement
    }
    expect(judged(false)).toMatchObject({ disposition: 'PRE_RING_CANCEL', sli: 'bad', nerNumerator: 0 })
    expect(judged(true)).toMatchObject({ disposition: 'NO_ANSWER', sli: 'good', nerNumerator: 1 })
  })

  test.each([
    ['the same carrier', { carrier: 'alpha' }],
    ['a carrier that nobody knows', { carrier: 'unknown', party: 'unknown' }],
    ['an anonymous caller', { carrier: 'beta', caller: '' }],
    ['another callee', { carrier: 'beta', callee: '12155550199' }],
    ['a call that came in', { carrier: 'beta', direction: 'inbound' }],
  ])('is none for %s', (_, changes) => {
    const slow = leg({ cancelledS: 5 })
    expect(classOf(slow, [slow, leg({ invitedS: 5.2, ...changes })])).toBeUndefined()
  })

  test('empty numbers never match each other', () => {
    const slow = leg({ cancelledS: 5, caller: '' })
    expect(classOf(slow, [slow, leg({ invitedS: 5.2, carrier: 'beta', caller: '' })])).toBeUndefined()
  })

  test('what was answered elsewhere comes first', () => {
    const lost = leg({ cancelledS: 5 })
    const won = leg({ answeredS: 5.1, carrier: 'beta' })
    const next = leg({ invitedS: 5.2, carrier: 'gamma' })
    expect(classOf(lost, [lost, won, next])).toBe('ELSEWHERE')
  })
})

test('the order of the legs changes no verdict', () => {
  const legs = fc.array(
    fc.record({
      invitedS: fc.integer({ min: 0, max: 6 }),
      cancelledS: fc.option(fc.integer({ min: 6, max: 9 }), { nil: undefined }),
      answeredS: fc.option(fc.integer({ min: 5, max: 9 }), { nil: undefined }),
      carrier: fc.constantFrom('alpha', 'beta', 'gamma'),
      direction: fc.constantFrom('inbound', 'outbound'),
      rang: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(legs, fc.integer(), (records, seed) => {
      const made = records.map(({ cancelledS, answeredS, ...one }) =>
        leg({
          ...one,
          ...(answeredS !== undefined ? { answeredS } : cancelledS === undefined ? {} : { cancelledS }),
        }),
      )
      const text = (list: readonly Leg[]) =>
        cancelVerdicts(list, NO_CALL, THRESHOLDS)
          .map((one) => JSON.stringify(one))
          .sort()
      const turned = [...made].sort(
        (a, b) =>
          ((Number(`0x${a.attemptId}`) * 7919 + seed) % 13) -
          ((Number(`0x${b.attemptId}`) * 7919 + seed) % 13),
      )
      expect(text(turned)).toEqual(text(made))
    }),
    { numRuns: 200 },
  )
})

test('ten thousand attempts to one number within a second are compared at once, not each with each', () => {
  const flood = Array.from({ length: 10_000 }, (_, at) =>
    leg({
      invitedS: at / 10_000,
      carrier: ['alpha', 'beta', 'gamma'][at % 3]!,
      rang: true,
      ...(at % 2 === 0 ? { cancelledS: 2 + at / 10_000 } : { answeredS: 2 + at / 10_000 }),
    }),
  )
  let compared = 0
  const counted = flood.map((one) => {
    const { direction } = one
    return Object.defineProperty({ ...one }, 'direction', {
      enumerable: true,
      get: () => {
        compared++
        return direction
      },
    })
  })
  cancelVerdicts(counted, NO_CALL, THRESHOLDS)
  expect(compared).toBeLessThan(10_000 * 100)
})
