import { describe, expect, test } from 'vitest'
import { type CancelEvidence, cancelOf } from '../../../collector/fold/cancel.js'

const RULES = { preRingPatienceMs: 4_000, ringTimersS: [30, 60, 90, 120, 180] }

/** A caller who gives up after 16 s, 15 of them ringing. */
function classOf(evidence: Partial<CancelEvidence>, rules = RULES) {
  return cancelOf(
    {
      answered: false,
      finalCode: 487,
      cancelled: true,
      rang: true,
      waitMs: 16_000,
      ringMs: 15_000,
      reasons: [],
      ...evidence,
    },
    rules,
  )
}

describe('cancel', () => {
  test('a CANCEL after ringing is an abandoned call, and good', () => {
    expect(classOf({})).toEqual({ class: 'CALLER_ABANDON_RING', sli: 'good' })
  })

  test('nothing was cancelled: there is no class', () => {
    expect(classOf({ cancelled: false, finalCode: 486 })).toBeUndefined()
    expect(classOf({ cancelled: false, finalCode: 0 })).toBeUndefined()
    expect(classOf({ cancelled: false, answered: true, finalCode: 200 })).toBeUndefined()
  })

  test('a 487 without CANCEL is the carrier’s, and bad', () => {
    expect(classOf({ cancelled: false })).toEqual({ class: '487_NO_CANCEL', sli: 'bad' })
  })

  test('a CANCEL that crossed the 200 changes nothing: answered, and good', () => {
    expect(classOf({ answered: true, finalCode: 200 })).toEqual({ class: 'CANCEL_RACE_200', sli: 'good' })
  })

  test('a 200 outranks every other reason', () => {
    expect(classOf({ answered: true, finalCode: 200, reasons: ['SIP;cause=200'], rang: false })?.class).toBe(
      'CANCEL_RACE_200',
    )
  })

  describe('completed elsewhere', () => {
    test('Reason SIP 200 says so, and it is nobody’s fault', () => {
      expect(classOf({ reasons: ['SIP;cause=200;text="Call completed elsewhere"'] })).toEqual({
        class: 'ELSEWHERE',
        sli: 'excluded',
      })
    })

    test('before it rang as after', () => {
      expect(classOf({ rang: false, reasons: ['sip ;cause=200'] })?.class).toBe('ELSEWHERE')
    })

    test('cause 200 of another protocol does not say so', () => {
      expect(classOf({ reasons: ['Q.850;cause=200'] })?.class).toBe('CALLER_ABANDON_RING')
    })

    test('the text alone does not: one switch puts it on a caller who hangs up', () => {
      expect(classOf({ reasons: ['Q.850;cause=16;text="answered elsewhere"'] })?.class).toBe(
        'CALLER_ABANDON_RING',
      )
    })

    test('counts before every other reason', () => {
      expect(classOf({ reasons: ['SIP;cause=408', 'SIP;cause=200'] })?.class).toBe('ELSEWHERE')
    })
  })

  describe('route advance', () => {
    for (const reason of [
      'SIP;cause=408;text="Request Timeout"',
      'Q.850;cause=102',
      'FreeSWITCH;text="LOSE_RACE"',
      'SIP;cause=487;text="PDD exceeded"',
      'X;text="progress timeout"',
    ]) {
      test(`${reason} says that our side gave up on the carrier: bad before it rang`, () => {
        expect(classOf({ rang: false, reasons: [reason] })).toEqual({ class: 'ROUTE_ADVANCE', sli: 'bad' })
      })
    }

    test('after ringing it is nobody’s fault', () => {
      expect(classOf({ reasons: ['SIP;cause=408'] })).toEqual({ class: 'ROUTE_ADVANCE', sli: 'good' })
    })

    test('a plain hang-up says nothing', () => {
      expect(classOf({ rang: false, reasons: ['Q.850;cause=16;text="Terminated"'] })?.class).toBe(
        'PRE_RING_CANCEL',
      )
    })
  })

  describe('ring timer', () => {
    test('a CANCEL within half a second of a timer of ours is the timer', () => {
      for (const ringMs of [29_500, 30_000, 30_500, 60_100, 179_600])
        expect(classOf({ ringMs })).toEqual({ class: 'RING_TIMER', sli: 'good' })
    })

    test('further off it is the caller', () => {
      for (const ringMs of [29_499, 30_501, 45_000])
        expect(classOf({ ringMs })?.class).toBe('CALLER_ABANDON_RING')
    })

    test('20 s is a timer only where the configuration says so (vector H)', () => {
      expect(classOf({ ringMs: 20_000 })?.class).toBe('CALLER_ABANDON_RING')
      expect(classOf({ ringMs: 20_000 }, { ...RULES, ringTimersS: [20] })?.class).toBe('RING_TIMER')
    })

    test('without both ends on one clock nothing points at a timer', () => {
      expect(classOf({ ringMs: undefined })?.class).toBe('CALLER_ABANDON_RING')
    })
  })

  describe('before it rang', () => {
    test('a caller who gives up within the patience has misdialled: excluded (vector J)', () => {
      expect(classOf({ rang: false, waitMs: 1_500 })).toEqual({ class: 'PRE_RING_CANCEL', sli: 'excluded' })
      expect(classOf({ rang: false, waitMs: 3_999 })?.sli).toBe('excluded')
    })

    test('one who waited longer was failed by the carrier: bad', () => {
      expect(classOf({ rang: false, waitMs: 4_000 })).toEqual({ class: 'PRE_RING_CANCEL', sli: 'bad' })
    })

    test('an unknown wait blames nobody', () => {
      expect(classOf({ rang: false, waitMs: undefined })?.sli).toBe('excluded')
    })

    test('the patience comes from the configuration', () => {
      expect(classOf({ rang: false, waitMs: 1_500 }, { ...RULES, preRingPatienceMs: 1_000 })?.sli).toBe('bad')
    })
  })

  test('no final at all is judged as a CANCEL that was confirmed', () => {
    expect(classOf({ finalCode: 0 })?.class).toBe('CALLER_ABANDON_RING')
    expect(classOf({ finalCode: 0, rang: false, waitMs: 6_000 })).toEqual({
      class: 'PRE_RING_CANCEL',
      sli: 'bad',
    })
  })
})
