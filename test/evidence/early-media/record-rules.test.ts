import { describe, expect, test } from 'vitest'
import { type AttemptTimes, recordAnomalies } from '../../../evidence/early-media/record-rules.js'
import { configSchema } from '../../../schemas/config.js'
import { attempt, ENDED, NOON_US } from '../../api/support.js'

const { thresholds } = configSchema.parse({})
const US = [
  'invited',
  'first18x',
  'first180',
  'firstSdp18x',
  'cancelled',
  'final',
  'answered',
  'bye',
] as const
type Times = { [Name in (typeof US)[number]]?: number }

/** Seconds after the INVITE; what is not named did not happen. */
function seen(times: Times, changes: Partial<AttemptTimes> = {}): AttemptTimes {
  const at = Object.fromEntries(
    US.map((name) => {
      const seconds = name === 'invited' ? (times.invited ?? 0) : times[name]
      return [`${name}AtUs`, seconds === undefined ? 0 : NOON_US + Math.round(seconds * 1e6)]
    }),
  )
  const heard = [times.first18x, times.answered].filter((second) => second !== undefined)
  return {
    ...attempt(),
    ...at,
    finalCode: times.answered === undefined ? 0 : 200,
    finalAtUs: at.finalAtUs || at.answeredAtUs,
    rang: times.first18x !== undefined,
    pddMs: heard.length === 0 ? null : Math.min(...heard) * 1_000,
    durationMs: times.bye === undefined ? null : (times.bye - (times.answered ?? 0)) * 1_000,
    byeFrom: times.bye === undefined ? '' : 'callee',
    ...changes,
  } as AttemptTimes
}
const codesOf = (one: AttemptTimes, changed = thresholds) =>
  recordAnomalies(one, changed).map(({ code, severity }) => `${code} ${severity}`)

/** A microsecond. */
const E = 0.000001
const media = { first18x: 1, firstSdp18x: 1 }
const failed = (final: number, code = 404, more: Times = media) =>
  seen({ ...more, final }, { finalCode: code })
const gaveUp = (cancelled: number, more: Times = media) =>
  seen(
    { ...more, cancelled, final: cancelled + 0.05 },
    { finalCode: 487, cancelClass: 'CALLER_ABANDON_RING' },
  )
const answered = (second: number, more: Times, changes: Partial<AttemptTimes> = {}) =>
  seen({ ...more, answered: second }, changes)

describe('suspicions from the record', () => {
  test.each<[string, AttemptTimes, string[]]>([
    // EM_ANNOUNCE_FAIL
    ['exactly 2 s of media before a 404 may be an announcement', failed(3), ['EM_ANNOUNCE_FAIL warn']],
    ['less than 2 s is none', failed(3 - E), []],
    ['without SDP there was nothing to hear', failed(9, 404, { first18x: 1 }), []],
    ['a 487 is no failure of its own', failed(5, 487), []],
    ['a final before its 18x, on a clock that went back, says nothing', failed(0.5), []],
    // EM_ANNOUNCE_CANCEL
    ['8 s of media without ringing, then CANCEL', gaveUp(9), ['EM_ANNOUNCE_CANCEL warn']],
    ['less than 8 s of it', gaveUp(9 - E), []],
    ['it rang', gaveUp(20, { ...media, first180: 2 }), []],
    [
      'answered all the same: CANCEL crossed the 200',
      seen({ ...media, cancelled: 20, answered: 20.01 }, { cancelClass: 'CANCEL_RACE_200' }),
      ['EM_183_NO_180 info'],
    ],
    // EM_183_NO_180
    ['media and an answer without 180', answered(5, media), ['EM_183_NO_180 info']],
    ['media, 180, answer', answered(5, { ...media, first180: 2 }), []],
    ['media without an answer', gaveUp(3), []],
    // EM_LONG
    ['exactly 60 s of media are not long', failed(61, 480), ['EM_ANNOUNCE_FAIL warn']],
    ['more is long', gaveUp(61 + E, { ...media, first180: 2 }), ['EM_LONG info']],
    ['exactly 180 s', answered(181, { ...media, first180: 2 }), ['EM_LONG info']],
    ['more than 180 s', answered(181 + E, { ...media, first180: 2 }), ['EM_LONG warn']],
    // EM_180_AFTER_183
    ['180 exactly 10 s after 183', gaveUp(12, { ...media, first180: 11 }), []],
    ['180 later than that', gaveUp(12, { ...media, first180: 11 + E }), ['EM_180_AFTER_183 warn']],
    ['without SDP too', gaveUp(30, { first18x: 1, first180: 12 }), ['EM_180_AFTER_183 warn']],
    // EM_183_AFTER_180
    [
      'a 183 with SDP after a bare 180',
      gaveUp(3, { first18x: 1, first180: 1, firstSdp18x: 1 + E }),
      ['EM_183_AFTER_180 info'],
    ],
    ['a 180 that has the SDP itself', gaveUp(3, { ...media, first180: 1 }), []],
    // LATE_18X
    ['exactly 8 s of silence', answered(12, { first18x: 8, first180: 8 }), []],
    ['more than 8 s of silence', answered(12, { first18x: 8.001, first180: 8.001 }), ['LATE_18X warn']],
    ['more than 8 s to the 200, without 18x', answered(8.001, {}), ['LATE_18X warn']],
    ['a failure has no post-dial delay', seen({ final: 20 }, { finalCode: 503 }), []],
    // RING_ZERO
    [
      'answered exactly 300 ms after it rang',
      answered(1.3, { first18x: 1, first180: 1 }),
      ['RING_ZERO info'],
    ],
    ['answered later', answered(1.3 + E, { first18x: 1, first180: 1 }), []],
    // FAS_NO_PROGRESS
    ['answered 1.499 s after the INVITE without 18x', answered(1.499, {}), ['FAS_NO_PROGRESS info']],
    ['exactly 1.5 s', answered(1.5, {}), []],
    ['vector F: INVITE 0, 100 @0.02, 200 @0.35', answered(0.35, {}), ['FAS_NO_PROGRESS info']],
    ['inbound it is our own side that answers', answered(0.35, {}, { direction: 'inbound' }), []],
    ['a caller who gave up is left out', answered(0.35, {}, { cancelClass: 'CANCEL_RACE_200' }), []],
    // FAS_EARLY_ANSWER
    [
      'answered within 2 s, ended by the caller within 10 s',
      answered(2 - E, { first18x: 1, first180: 1, bye: 12 - 2 * E }, { byeFrom: 'caller' }),
      ['FAS_EARLY_ANSWER warn'],
    ],
    [
      'answered after exactly 2 s',
      answered(2, { first18x: 1, first180: 1, bye: 5 }, { byeFrom: 'caller' }),
      [],
    ],
    [
      'lasted exactly 10 s',
      answered(1.5, { first18x: 1, first180: 1, bye: 11.5 }, { byeFrom: 'caller' }),
      [],
    ],
    ['ended by the callee', answered(1.5, { first18x: 1, first180: 1, bye: 3 }), []],
    [
      'inbound',
      answered(1.5, { first18x: 1, first180: 1, bye: 3 }, { byeFrom: 'caller', direction: 'inbound' }),
      [],
    ],
    ['an ordinary call', answered(8, { first18x: 1, first180: 1, bye: 60 }), []],
    ['a busy one', { ...attempt(ENDED.busy) }, []],
  ])('%s', (_, one, codes) => {
    expect(codesOf(one)).toEqual(codes)
  })

  test('an international call may be silent for 11 s: the numbers are of two countries', () => {
    const abroad = { calledNumber: '+4930123456', callingNumber: '+12155550101' }
    const silent = (pddMs: number, more: Partial<AttemptTimes>) =>
      codesOf(answered(20, { first18x: pddMs / 1_000, first180: pddMs / 1_000 }, { pddMs, ...more }))
    expect(silent(11_000, abroad)).toEqual([])
    expect(silent(11_001, abroad)).toEqual(['LATE_18X warn'])
    // Asserted by nobody: From tells it as well. A number of no country tells nothing.
    expect(silent(9_000, { ...abroad, callingNumber: '', fromNumber: '+12155550101' })).toEqual([])
    expect(silent(9_000, { ...abroad, callingNumber: 'anonymous', fromNumber: '' })).toEqual([
      'LATE_18X warn',
    ])
  })

  test('a route has a limit of its own, the longest prefix first', () => {
    const changed = configSchema.parse({
      thresholds: {
        early_media: {
          late_18x_routes: [
            { prefix: '+1', late_18x_ms: 3_000 },
            { prefix: '+1215', late_18x_ms: 20_000 },
          ],
        },
      },
    }).thresholds
    const call = (called: string) =>
      codesOf(
        answered(30, { first18x: 9, first180: 9 }, { calledNumber: called, callingNumber: '' }),
        changed,
      )
    expect(call('+12155550100')).toEqual([])
    expect(call('+13035550100')).toEqual(['LATE_18X warn'])
  })

  test('a number behind which a machine answers may answer at once', () => {
    const changed = configSchema.parse({
      thresholds: { early_media: { answers_at_once: ['+1800', '+12155550100'] } },
    }).thresholds
    const call = (calledNumber: string) =>
      codesOf(answered(1.1, { first18x: 1, first180: 1 }, { calledNumber }), changed)
    expect(call('+18005550100')).toEqual([])
    expect(call('+12155550100')).toEqual([])
    expect(call('+12155550101')).toEqual(['RING_ZERO info'])
  })

  test('says what was seen with its numbers, and names the messages', () => {
    const [found] = recordAnomalies(failed(4.5), thresholds)
    expect(found).toEqual({
      code: 'EM_ANNOUNCE_FAIL',
      severity: 'warn',
      sentence: 'Media was offered 3.5 s before the 404: an announcement, perhaps.',
      messages: [
        { what: '18x with SDP', atUs: NOON_US + 1e6 },
        { what: '404', atUs: NOON_US + 4.5e6 },
      ],
    })
  })

  test('every threshold can be set, and moves its rule', () => {
    const one = failed(3)
    const { thresholds: strict } = configSchema.parse({
      thresholds: { early_media: { announce_fail_ms: 2_001 } },
    })
    expect(codesOf(one, strict)).toEqual([])
  })
})
