import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AgentHistory,
  type CollectorView,
  latenessOf,
  skewOf,
  type TapMinute,
  THRESHOLDS,
  VERDICTS,
  verdictOf,
} from '../../../api/tap/verdict.js'

/** 2026-11-20T12:00:00Z. */
const NOON_S = 1_795_176_000
const NOON_US = NOON_S * 1e6
const S = 1e6

/** A busy minute that ends whole: SIP in its first and its last second. */
function minute(minuteS: number, changes: Partial<TapMinute> = {}): TapMinute {
  return {
    minuteS,
    frames: 100,
    sipMessages: 100,
    udpFrames: 100,
    firstSipUs: minuteS * 1e6,
    lastSipUs: minuteS * 1e6 + 59 * S,
    timedMessages: 100,
    arrivalDelayMinUs: 800,
    identitySeen: 100,
    identityCut: 0,
    sdpSeen: 100,
    sdpCut: 0,
    ...changes,
  }
}

const hour = (changes: Partial<TapMinute> = {}, every = 60) =>
  Array.from({ length: 3_600 / every }, (_, index) => minute(NOON_S - 3_600 + index * every, changes))

/** Talked until 11:59:59 without a break; now it is noon. */
function agent(changes: Partial<AgentHistory> = {}): AgentHistory {
  const minutes = changes.minutes ?? hour()
  const lastSipUs = Math.max(0, ...minutes.map((one) => (one.sipMessages > 0 ? one.lastSipUs : 0)))
  return {
    lastSeenUs: lastSipUs,
    lastSipUs,
    minutes,
    weekAgo: 'unknown',
    oneSided: { attempts: 100, oneSided: 0 },
    ...changes,
  }
}

function collector(changes: Partial<CollectorView> = {}): CollectorView {
  const asOfUs = changes.asOfUs ?? NOON_US
  return {
    asOfUs,
    nowUs: asOfUs + 2 * S,
    listeningSinceUs: NOON_US - 86_400 * S,
    problem: '',
    kernelDropRatio: 0,
    ...changes,
  }
}

const LAST_US = NOON_US - S
const judge = (changed: Partial<AgentHistory> = {}, of: Partial<CollectorView> = {}) =>
  verdictOf(agent(changed), collector(of))

describe('ok', () => {
  it('an agent that talks, with all its messages whole', () => {
    expect(judge()).toMatchObject({ verdict: 'ok', why: '', also: [], historyMinutes: 60 })
  })
})

describe('blind', () => {
  it('an agent with a history that is silent for more than two minutes; at two minutes it is not yet', () => {
    expect(judge({}, { asOfUs: LAST_US + 120 * S }).verdict).toBe('ok')
    expect(judge({}, { asOfUs: LAST_US + 120 * S + 1 })).toMatchObject({
      verdict: 'blind',
      why: 'silent for 2 min 0 s; 60 minutes with SIP in the hour before',
    })
  })

  it('one that talks every ten minutes may be silent for five times its longest gap', () => {
    // From 59 s past a minute to the start of one ten minutes on: 541 s.
    const minutes = hour({}, 600)
    const lastUs = minutes.at(-1)!.lastSipUs
    expect(judge({ minutes }, { asOfUs: lastUs + 5 * 541 * S })).toMatchObject({
      verdict: 'ok',
      silenceLimitUs: 5 * 541 * S,
    })
    expect(judge({ minutes }, { asOfUs: lastUs + 5 * 541 * S + 1 }).verdict).toBe('blind')
  })

  it('three minutes with SIP in the hour before are a history, two are none', () => {
    const late = { asOfUs: NOON_US + 86_400 * S }
    const last = hour().slice(-3)
    expect(judge({ minutes: last }, late)).toMatchObject({ verdict: 'blind', historyMinutes: 3 })
    expect(judge({ minutes: last.slice(1) }, late)).toMatchObject({ verdict: 'quiet', historyMinutes: 2 })
  })

  it('it stays blind however long it is silent: its history is that of before', () => {
    expect(judge({}, { asOfUs: NOON_US + 6 * 86_400 * S }).verdict).toBe('blind')
  })

  it('minutes more than an hour before the last SIP message are no part of the history', () => {
    const minutes = [minute(NOON_S - 3_660), minute(NOON_S - 3_600), minute(NOON_S - 60)]
    expect(judge({ minutes }, { asOfUs: NOON_US + 3_600 * S })).toMatchObject({
      verdict: 'quiet',
      historyMinutes: 2,
    })
  })
})

describe('quiet', () => {
  const late = { asOfUs: NOON_US + 7_200 * S }

  it('an agent that was silent at this time a week ago, too; one that talked then is blind', () => {
    expect(judge({ weekAgo: 'silent' }, late)).toMatchObject({
      verdict: 'quiet',
      why: expect.stringContaining('none at this time a week ago'),
    })
    expect(judge({ weekAgo: 'talked' }, late).verdict).toBe('blind')
  })

  it('an agent that only ever sent keep-alives', () => {
    const minutes = hour({ sipMessages: 0, firstSipUs: 0, lastSipUs: 0, timedMessages: 0 })
    expect(judge({ minutes, lastSipUs: 0, lastSeenUs: NOON_US })).toMatchObject({
      verdict: 'quiet',
      why: 'no SIP message of it is known, only keep-alives or refused frames',
    })
  })
})

describe('no_sip', () => {
  it('keep-alives are life and no traffic: the agent is not blind, but its SIP is missing', () => {
    const asOfUs = LAST_US + 121 * S
    expect(judge({ lastSeenUs: asOfUs - 120 * S }, { asOfUs })).toMatchObject({
      verdict: 'no_sip',
      why: 'frames come, but no SIP for 2 min 1 s; 60 minutes with SIP in the hour before',
    })
    expect(judge({ lastSeenUs: asOfUs - 120 * S - 1 }, { asOfUs }).verdict).toBe('blind')
  })
})

describe('unknown', () => {
  const silent = { asOfUs: NOON_US + 600 * S }

  it('a collector whose time stands still for more than a minute makes nobody blind', () => {
    const at = (behindUs: number) => judge({}, { ...silent, nowUs: silent.asOfUs + behindUs })
    expect(at(60 * S).verdict).toBe('blind')
    expect(at(60 * S + 1)).toMatchObject({
      verdict: 'unknown',
      why: 'the collector is 1 min 0 s behind: what came since is not known',
    })
  })

  it('a collector that starts, or has a problem, or has received nothing, knows nothing', () => {
    expect(judge({}, { ...silent, problem: 'the spool is full' }).why).toBe(
      'the collector is not ready: the spool is full',
    )
    expect(judge({}, { asOfUs: 0, nowUs: NOON_US }).verdict).toBe('unknown')
  })

  it('after a start an agent is not blind before the collector has listened for as long as it may be silent', () => {
    const since = (listenedUs: number) =>
      judge({}, { ...silent, listeningSinceUs: silent.asOfUs - listenedUs }).verdict
    expect(since(120 * S)).toBe('unknown')
    expect(since(120 * S + 1)).toBe('blind')
  })

  it('after a start one without a history is quiet, and one that talks is ok', () => {
    const fresh = { listeningSinceUs: silent.asOfUs }
    expect(judge({ minutes: hour().slice(-1) }, { ...silent, ...fresh }).verdict).toBe('quiet')
    expect(judge({}, { listeningSinceUs: NOON_US }).verdict).toBe('ok')
  })
})

describe('lossy', () => {
  it('Identity or SDP cut in more than 1 % of the messages that have it, and in three at least', () => {
    // 59 minutes with 100 each: noon is the 60th.
    const cut = (changes: Partial<TapMinute>[]) =>
      judge({ minutes: hour().map((one, index) => ({ ...one, ...changes[index] })) })
    const sixty = (changes: Partial<TapMinute>) => Array.from({ length: 60 }, () => changes)
    expect(cut(sixty({ identityCut: 1 })).verdict).toBe('ok')
    expect(cut([...sixty({ identityCut: 1 }).slice(1), { identityCut: 2 }])).toMatchObject({
      verdict: 'lossy',
      why: 'Identity is cut in 1.02 % of 5900 messages',
    })
    const few = (sdpCut: number) => judge({ minutes: [minute(NOON_S - 60, { sdpSeen: 3, sdpCut })] })
    expect(few(2).verdict).toBe('ok')
    expect(few(3)).toMatchObject({ verdict: 'lossy', why: 'SDP is cut in 100.0 % of 3 messages' })
  })

  it('what was cut more than an hour ago is forgiven', () => {
    const old = minute(NOON_S - 3_660, { identityCut: 100 })
    expect(judge({ minutes: [old, ...hour()] }).verdict).toBe('ok')
  })

  it('more than 5 % one-sided of twenty attempts at least', () => {
    expect(judge({ oneSided: { attempts: 20, oneSided: 1 } }).verdict).toBe('ok')
    expect(judge({ oneSided: { attempts: 19, oneSided: 19 } }).verdict).toBe('ok')
    expect(judge({ oneSided: { attempts: 20, oneSided: 2 } })).toMatchObject({
      verdict: 'lossy',
      why: 'one direction is missing in 10.0 % of 20 attempts',
    })
  })

  it('kernel drops above one in a thousand concern agents that send over UDP', () => {
    expect(judge({}, { kernelDropRatio: 0.001 }).verdict).toBe('ok')
    expect(judge({}, { kernelDropRatio: 0.0011 }).verdict).toBe('lossy')
    expect(judge({ minutes: hour({ udpFrames: 0 }) }, { kernelDropRatio: 0.5 }).verdict).toBe('ok')
    expect(judge({}, { kernelDropRatio: undefined }).verdict).toBe('ok')
  })

  it('other findings stand beside the verdict', () => {
    const judgement = judge({
      minutes: hour({ identityCut: 50, arrivalDelayMinUs: -3 * S }),
      oneSided: { attempts: 100, oneSided: 90 },
    })
    expect([judgement.verdict, ...judgement.also.map(({ verdict }) => verdict)]).toEqual([
      'lossy',
      'lossy',
      'skewed',
    ])
  })

  it('a blind agent is blind and nothing else', () => {
    expect(
      judge({ minutes: hour({ identityCut: 50 }) }, { asOfUs: NOON_US + 600 * S, kernelDropRatio: 1 }),
    ).toMatchObject({ verdict: 'blind', also: [] })
  })
})

describe('skewed', () => {
  const withDelay = (arrivalDelayMinUs: number, timedMessages = 100) =>
    judge({ minutes: hour({ arrivalDelayMinUs, timedMessages }) })

  it('a second or more, ahead or behind, from ten messages on', () => {
    expect(withDelay(-S + 1).verdict).toBe('ok')
    expect(withDelay(-S)).toMatchObject({
      verdict: 'skewed',
      why: "its clock is 1.0 s ahead of the collector's",
    })
    expect(withDelay(S)).toMatchObject({
      verdict: 'skewed',
      why: "its clock is 1.0 s behind the collector's, or its messages take that long",
    })
    const last = [minute(NOON_S - 60, { arrivalDelayMinUs: -5 * S, timedMessages: 9 })]
    expect(judge({ minutes: last }).verdict).toBe('ok')
    expect(judge({ minutes: [{ ...last[0]!, timedMessages: 10 }] }).verdict).toBe('skewed')
  })

  it('the estimate is the median of the last 15 minutes: one odd minute moves it nowhere, and is the doubt', () => {
    const minutes = hour({ arrivalDelayMinUs: 400 })
    minutes[50] = minute(NOON_S - 600, { arrivalDelayMinUs: 900_000 })
    minutes[0] = minute(NOON_S - 3_600, { arrivalDelayMinUs: -9e9 })
    expect(skewOf(minutes, NOON_US)).toEqual({
      skewUs: 400,
      spreadUs: 899_600,
      messages: 1_400,
      minutes: 14,
    })
  })

  it('minutes without a timestamp of their own say nothing', () => {
    expect(skewOf(hour({ timedMessages: 0, arrivalDelayMinUs: 0 }), NOON_US)).toBeUndefined()
    expect(judge({ minutes: hour({ timedMessages: 0 }) })).toMatchObject({ verdict: 'ok', skew: undefined })
  })
})

describe('late', () => {
  const lateBy = (us: number) => {
    const minutes = hour({ arrivalDelayMinUs: 2_000 })
    for (const index of [58, 59]) minutes[index] = { ...minutes[index]!, arrivalDelayMinUs: 2_000 + us }
    return judge({ minutes })
  }

  it('messages that come five seconds later than the fastest of the hour', () => {
    expect(lateBy(5 * S - 1).verdict).toBe('ok')
    expect(lateBy(5 * S)).toMatchObject({
      verdict: 'late',
      why: 'messages come 5.0 s later after their capture than within the hour before',
    })
  })

  it('what comes late is not called a skewed clock', () => {
    const minutes = hour({ arrivalDelayMinUs: 90 * S })
    minutes[1] = { ...minutes[1]!, arrivalDelayMinUs: 1_000 }
    expect(judge({ minutes })).toMatchObject({ verdict: 'late', also: [] })
  })

  it('is not known without messages in the last minutes', () => {
    expect(latenessOf(hour().slice(0, 57), NOON_US)).toBeUndefined()
    expect(latenessOf(hour().slice(0, 59), NOON_US)).toBe(0)
  })
})

describe('any agent', () => {
  const anyMinute = fc.record({
    minuteS: fc.integer({ min: -200, max: 5 }).map((at) => NOON_S + at * 60),
    frames: fc.nat(1_000),
    sipMessages: fc.nat(1_000),
    udpFrames: fc.nat(1_000),
    firstSipUs: fc.integer({ min: NOON_US - 1e10, max: NOON_US }),
    lastSipUs: fc.integer({ min: NOON_US - 1e10, max: NOON_US }),
    timedMessages: fc.nat(1_000),
    arrivalDelayMinUs: fc.integer({ min: -4e9, max: 4e13 }),
    identitySeen: fc.nat(100),
    identityCut: fc.nat(100),
    sdpSeen: fc.nat(100),
    sdpCut: fc.nat(100),
  })
  const anyTime = fc.oneof(fc.constant(0), fc.integer({ min: NOON_US - 1e12, max: NOON_US + 1e10 }))

  it('gets one verdict, with a reason unless it is ok', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyMinute, { selector: (one) => one.minuteS, maxLength: 80 }),
        anyTime,
        anyTime,
        anyTime,
        (minutes, lastSeenUs, lastSipUs, asOfUs) => {
          minutes.sort((a, b) => a.minuteS - b.minuteS)
          const judgement = judge({ minutes, lastSeenUs, lastSipUs }, { asOfUs })
          expect(VERDICTS).toContain(judgement.verdict)
          expect(judgement.why === '').toBe(judgement.verdict === 'ok')
          expect(judgement.why).not.toMatch(/NaN|undefined|Infinity/)
        },
      ),
    )
  })

  it('a longer silence never makes a blind one talk, while nothing else changes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 121, max: 600_000 }), (silentS) => {
        expect(judge({}, { asOfUs: LAST_US + silentS * S + THRESHOLDS.silentMinUs }).verdict).toBe('blind')
      }),
    )
  })
})
