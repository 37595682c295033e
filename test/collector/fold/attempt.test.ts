import { describe, expect, test } from 'vitest'
import { attemptIdOf } from '../../../collector/fold/attempt.js'
import { foldOf } from '../../../collector/fold-wiring.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { HEP_FLAG } from '../../../schemas/hep-frame.js'
import { FAR, factsFrom, type MessageFields, observed, SBC, START_US } from '../../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({ sites: [{ id: 'fra', sbc: [SBC] }], carriers: [{ id: 'acme', peers: [FAR] }] }),
)
const AGAIN = { cseqNumber: 2, branch: 'b2' }
const CANCEL = { cseqMethod: 'CANCEL' }
const BYE = { cseqMethod: 'BYE' }

/** The attempt as it is at `asOfS` seconds. */
function attemptAt(asOfS: number, ...messages: MessageFields[]): Attempt {
  return FOLD.attemptOf('id', factsFrom(messages.map(observed)), START_US + asOfS * 1_000_000)
}
const attempt = (...messages: MessageFields[]) => attemptAt(86_400, ...messages)
const stateAt = (asOfS: number, ...messages: MessageFields[]) => attemptAt(asOfS, ...messages).state

/** Whether the moment of the next judgement is the one at which the state changes. */
function reviewS(...messages: MessageFields[]): number | undefined {
  const reviewAtUs = FOLD.reviewAtUs(factsFrom(messages.map(observed)))
  return reviewAtUs === undefined ? undefined : (reviewAtUs - START_US) / 1_000_000
}

describe('state of an attempt', () => {
  test('is open until it has an outcome', () => {
    expect(stateAt(10, {})).toBe('open')
    expect(stateAt(10, {}, { at: 1, code: 180 })).toBe('open')
  })

  test('is closed by any final response', () => {
    for (const code of [200, 302, 404, 407, 487, 503, 603])
      expect(stateAt(10, {}, { at: 1, code })).toBe('closed')
    expect(reviewS({}, { at: 1, code: 404 })).toBeUndefined()
  })

  test('is open again when the next try begins', () => {
    expect(stateAt(10, {}, { at: 1, code: 407 }, { at: 2, ...AGAIN })).toBe('open')
  })

  describe('TIMEOUT', () => {
    test('no response at all within 32 s of the INVITE', () => {
      expect(stateAt(31.999999, {})).toBe('open')
      expect(attemptAt(32, {})).toMatchObject({ state: 'closed', disposition: 'TIMEOUT', finalCode: 0 })
      expect(reviewS({})).toBe(32)
    })

    test('counts from the last copy, at any agent', () => {
      expect(stateAt(35, {}, { at: 3.5 })).toBe('open')
      expect(stateAt(35.5, {}, { at: 3.5 })).toBe('closed')
      expect(reviewS({ agent: 'a' }, { at: 3.5, agent: 'b' })).toBe(35.5)
    })

    test('does not come over a 100', () => {
      expect(stateAt(100, {}, { at: 1, code: 100 })).toBe('open')
    })

    test('is that of the last try', () => {
      const messages = [{}, { at: 1, code: 407 }, { at: 2, ...AGAIN }]
      expect(stateAt(33, ...messages)).toBe('open')
      expect(attemptAt(34, ...messages).disposition).toBe('TIMEOUT')
    })
  })

  describe('incomplete', () => {
    test('3 min and 32 s after the last provisional', () => {
      const messages = [{}, { at: 1, code: 100 }, { at: 5, code: 180 }]
      expect(stateAt(216.9, ...messages)).toBe('open')
      expect(attemptAt(217, ...messages)).toMatchObject({
        state: 'incomplete',
        disposition: '',
        sli: '',
        nerDenominator: 0,
      })
      expect(reviewS(...messages)).toBe(217)
    })

    test('100 alone is a provisional', () => {
      expect(stateAt(212, {}, { code: 100 })).toBe('incomplete')
    })

    test('responses whose INVITE did not come within 32 s', () => {
      expect(stateAt(31.9, { code: 100 }, { at: 5, code: 200 })).toBe('open')
      expect(stateAt(32, { code: 100 }, { at: 5, code: 200 })).toBe('incomplete')
      expect(reviewS({ code: 100 }, { at: 5, code: 200 })).toBe(32)
    })

    test('a CANCEL whose INVITE did not come', () => {
      expect(stateAt(31.9, CANCEL)).toBe('open')
      expect(stateAt(32, CANCEL)).toBe('incomplete')
    })

    test('a final response that comes late closes it after all', () => {
      expect(stateAt(400, {}, { code: 180 }, { at: 390, code: 200 })).toBe('closed')
    })
  })

  describe('CANCEL without a final response', () => {
    test('closes after 32 s, with a flag', () => {
      const messages = [{}, { at: 1, code: 180 }, { at: 6, ...CANCEL }]
      expect(stateAt(37.9, ...messages)).toBe('open')
      expect(attemptAt(38, ...messages)).toMatchObject({
        state: 'closed',
        disposition: 'NO_ANSWER',
        cancelClass: 'CALLER_ABANDON_RING',
        flags: ['cancel_no_final'],
      })
      expect(reviewS(...messages)).toBe(38)
    })

    test('is no TIMEOUT, though nothing answered', () => {
      expect(attempt({}, { at: 6, ...CANCEL }).disposition).toBe('PRE_RING_CANCEL')
    })
  })

  test('is a fragment when nothing but a dialog was seen', () => {
    expect(stateAt(10, BYE, { ...BYE, code: 200 })).toBe('fragment')
    expect(stateAt(10, { toTag: 'to-1' })).toBe('fragment')
    expect(stateAt(10, { cseqMethod: 'ACK', toTag: 'to-1' })).toBe('fragment')
    expect(reviewS(BYE)).toBeUndefined()
  })

  test('classes and dispositions wait for the end', () => {
    expect(attemptAt(7, {}, { at: 1, code: 180 }, { at: 6, ...CANCEL })).toMatchObject({
      state: 'open',
      cancelClass: '',
      disposition: '',
    })
  })
})

describe('attempt', () => {
  test('knows its carrier, site and direction from the INVITE', () => {
    expect(attempt({}, { code: 486 })).toMatchObject({
      party: 'carrier',
      carrier: 'acme',
      site: 'fra',
      direction: 'outbound',
      sbcAddress: SBC,
      farAddress: FAR,
    })
    expect(attempt({ fromFar: true }, { code: 486 }).direction).toBe('inbound')
  })

  test('knows them from a response while the INVITE is missing', () => {
    expect(attempt({ code: 486 })).toMatchObject({ carrier: 'acme', direction: 'outbound', invited: false })
  })

  test('counts in the minute of its first INVITE, challenged and redirected ones included', () => {
    const minute = START_US / 1_000_000
    expect(
      attempt({ at: 59 }, { at: 61, code: 302 }, { at: 62, ...AGAIN }, { at: 63, code: 486, ...AGAIN })
        .minuteS,
    ).toBe(minute)
    expect(attempt({ at: 60 }, { at: 63, code: 486 }).minuteS).toBe(minute + 60)
  })

  describe('a call', () => {
    const answered: MessageFields[] = [{}, { at: 1, code: 180 }, { at: 5, code: 200 }]

    test('lasts from the 200 to the BYE, and ends in that minute', () => {
      expect(attempt(...answered, { at: 130, ...BYE })).toMatchObject({
        durationMs: 125_000,
        byeFrom: 'caller',
        endMinuteS: START_US / 1_000_000 + 120,
      })
    })

    test('a BYE of the callee bears the tags the other way round', () => {
      const bye = { at: 130, ...BYE, fromFar: true, fromTag: 'to-1', toTag: 'from-1' }
      expect(attempt(...answered, bye)).toMatchObject({ durationMs: 125_000, byeFrom: 'callee' })
    })

    test('has no duration and no end while it is up', () => {
      expect(attempt(...answered)).toMatchObject({ durationMs: null, endMinuteS: 0, byeFrom: '' })
    })

    test('that was not answered has no end, whatever BYE there is', () => {
      expect(attempt({}, { at: 1, code: 486 }, { at: 2, ...BYE })).toMatchObject({
        durationMs: null,
        endMinuteS: 0,
      })
    })

    test('a 200 sent again does not move its beginning', () => {
      expect(attempt(...answered, { at: 5.5, code: 200 }, { at: 15, ...BYE }).durationMs).toBe(10_000)
    })
  })

  test('the time spent with challenges is summed over 401 and 407', () => {
    const third = { cseqNumber: 3, branch: 'b3' }
    expect(
      attempt(
        {},
        { at: 0.1, code: 401 },
        { at: 0.2, ...AGAIN },
        { at: 0.3, code: 407, ...AGAIN },
        { at: 0.5, ...third },
        { at: 1, code: 486, ...third },
      ).authMs,
    ).toBe(500)
    expect(attempt({}, { code: 486 }).authMs).toBeNull()
    expect(
      attempt({}, { at: 0.1, code: 422 }, { at: 0.2, ...AGAIN }, { at: 1, code: 486, ...AGAIN }).authMs,
    ).toBeNull()
  })

  test('of two agents that saw the challenge the lowest in text order is asked, whoever was heard first', () => {
    const seen: MessageFields[] = [
      { agent: 'a' },
      { at: 0.1, code: 407, agent: 'a' },
      { at: 0.3, agent: 'a', ...AGAIN },
      { at: 7, agent: 'b' },
      { at: 7.9, agent: 'b', ...AGAIN },
      { at: 1, code: 486, agent: 'a', ...AGAIN },
    ]
    expect([attempt(...seen).authMs, attempt(...seen.reverse()).authMs]).toEqual([300, 300])
  })

  test('ringing before a CANCEL counts from the 180, else from the first 18x', () => {
    expect(
      attempt({}, { at: 1, code: 183 }, { at: 2, code: 180 }, { at: 9, ...CANCEL }, { at: 9.1, code: 487 })
        .ringBeforeCancelMs,
    ).toBe(7_000)
    expect(
      attempt({}, { at: 1, code: 183 }, { at: 9, ...CANCEL }, { at: 9.1, code: 487 }).ringBeforeCancelMs,
    ).toBe(8_000)
  })

  test('a CANCEL that came after a final response is none', () => {
    expect(attempt({}, { at: 1, code: 180 }, { at: 5, code: 486 }, { at: 5.1, ...CANCEL })).toMatchObject({
      cancelClass: '',
      disposition: 'BUSY',
    })
  })

  test('the last try’s INVITE says how the call is attested', () => {
    const shown = attempt(
      { identities: ['x'] },
      { at: 1, code: 407 },
      { at: 2, ...AGAIN },
      { at: 3, code: 486, ...AGAIN },
    )
    expect(shown.attestation).toBe('none')
  })

  describe('flags', () => {
    const flags = (...messages: MessageFields[]) => attempt(...messages).flags

    test('480 without ringing', () => {
      expect(flags({}, { code: 480 })).toEqual(['480_no_ring'])
      expect(flags({}, { code: 180 }, { at: 1, code: 480 })).toEqual([])
    })

    test('answered at once without ringing', () => {
      expect(flags({}, { at: 1.499, code: 200 })).toEqual(['FAS_NO_PROGRESS'])
      expect(flags({}, { at: 1.5, code: 200 })).toEqual([])
    })

    test('CANCEL crossed the 200', () => {
      expect(flags({}, { at: 1, code: 180 }, { at: 5, ...CANCEL }, { at: 5.1, code: 200 })).toEqual(['race'])
    })

    test('a clock that was set back', () => {
      expect(flags({ at: 5 }, { at: 1, code: 180 }, { at: 9, code: 486 })).toEqual(['clock_stepped'])
    })

    test('a time of capture that was replaced, an INVITE that was cut', () => {
      expect(flags({ frameFlags: HEP_FLAG.clampedTimestamp, truncated: true }, { code: 486 })).toEqual([
        'timestamp_replaced',
        'truncated',
      ])
      expect(flags({ frameFlags: HEP_FLAG.compressed }, { code: 486 })).toEqual([])
    })

    test('a set of facts that overflowed', () => {
      const tags = Array.from({ length: 20 }, (_, n) => ({ at: 1, code: 180, toTag: `t${n}` }))
      expect(flags({}, ...tags, { at: 2, code: 486 })).toEqual(['overflow'])
    })
  })

  test('the id depends on leg, Call-ID and From-tag, and on nothing else', () => {
    const key = { addressLow: 'a', addressHigh: 'b', callId: 'c', fromTag: 'd' }
    expect(attemptIdOf(key)).toMatch(/^[0-9a-f]{32}$/)
    expect(attemptIdOf({ ...key })).toBe(attemptIdOf(key))
    for (const name of Object.keys(key))
      expect(attemptIdOf({ ...key, [name]: 'x' })).not.toBe(attemptIdOf(key))
  })
})
