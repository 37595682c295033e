import { describe, expect, test } from 'vitest'
import { type Ending, judge } from '../../../collector/fold/disposition.js'
import { DISPOSITIONS, type Disposition, type Sli } from '../../../schemas/attempt.js'
import { readReason } from '../../../sip/reason.js'

interface Told extends Partial<Omit<Ending, 'reasons'>> {
  reasons?: string[]
}

function judged({ reasons = [], ...ending }: Told) {
  return judge({
    finalCode: 0,
    phrase: '',
    rang: false,
    cancel: undefined,
    ...ending,
    reasons: reasons.map(readReason),
  })
}

const ANALYTICS = 'Q.850;cause=21;text="v=analytics1;tel=+12155550199"'

/** The table of metrics.md §2, row by row. */
const TABLE: Record<
  Disposition,
  { sli: Sli; ner: [numerator: number, denominator: number]; endings: Told[] }
> = {
  ANSWERED: { sli: 'good', ner: [1, 1], endings: [200, 202, 299].map((finalCode) => ({ finalCode })) },
  BUSY: {
    sli: 'good',
    ner: [1, 1],
    endings: [{ finalCode: 486 }, { finalCode: 600 }, { finalCode: 403, reasons: ['Q.850;cause=17'] }],
  },
  NO_ANSWER: {
    sli: 'good',
    ner: [1, 1],
    endings: [
      { finalCode: 480 },
      { finalCode: 408, rang: true },
      { finalCode: 487, rang: true, cancel: { class: 'CALLER_ABANDON_RING', sli: 'good' } },
      { finalCode: 487, rang: true, cancel: { class: 'RING_TIMER', sli: 'good' } },
      { finalCode: 487, rang: true, cancel: { class: 'ROUTE_ADVANCE', sli: 'good' } },
      ...[18, 19, 20].map((cause) => ({ finalCode: 500, reasons: [`Q.850;cause=${cause}`] })),
    ],
  },
  REJECTED: {
    sli: 'good',
    ner: [1, 1],
    endings: [
      { finalCode: 603 },
      { finalCode: 607 },
      { finalCode: 603, phrase: 'Decline', reasons: [ANALYTICS] },
      { finalCode: 603, phrase: 'Network Blocked' },
      { finalCode: 403, reasons: ['Q.850;cause=21;location=U'] },
      { finalCode: 603, reasons: ['Q.850;cause=21'] },
    ],
  },
  REDIRECT: {
    sli: 'excluded',
    ner: [0, 0],
    endings: [300, 301, 302, 305, 380].map((finalCode) => ({ finalCode })),
  },
  INVALID_NUMBER: {
    sli: 'excluded',
    ner: [0, 1],
    endings: [
      ...[404, 410, 484, 485, 604, 416].map((finalCode) => ({ finalCode })),
      ...[1, 22, 28].map((cause) => ({ finalCode: 500, reasons: [`Q.850;cause=${cause}`] })),
    ],
  },
  BLOCKED: {
    sli: 'excluded',
    ner: [0, 1],
    endings: [
      { finalCode: 608 },
      { finalCode: 603, phrase: 'Network Blocked', reasons: [ANALYTICS] },
      {
        finalCode: 603,
        phrase: 'network blocked',
        reasons: ['SIP;cause=603;text="v=analytics1;url=https://x";location=RLN'],
      },
      { finalCode: 608, reasons: ['Q.850;cause=17'] },
    ],
  },
  IDENTITY: {
    sli: 'excluded',
    ner: [0, 1],
    endings: [
      ...[428, 436, 437, 438].map((finalCode) => ({ finalCode })),
      { finalCode: 403, phrase: 'Stale Date' },
      { finalCode: 403, phrase: ' stale date ', reasons: ['Q.850;cause=17'] },
    ],
  },
  AUTH: {
    sli: 'excluded',
    ner: [0, 1],
    endings: [
      { finalCode: 401 },
      { finalCode: 402 },
      { finalCode: 407 },
      { finalCode: 407, reasons: ['Q.850;cause=17'] },
    ],
  },
  CONFIG: {
    sli: 'bad',
    ner: [0, 1],
    endings: [400, 405, 406, 413, 414, 415, 420, 421, 482, 483, 488, 501, 505, 513, 606].map((finalCode) => ({
      finalCode,
    })),
  },
  POLICY: {
    sli: 'bad',
    ner: [0, 1],
    endings: [
      { finalCode: 403 },
      { finalCode: 433 },
      { finalCode: 403, reasons: ['Q.850;cause=21'] },
      { finalCode: 603, reasons: ['Q.850;cause=21;location=LN'] },
      ...[55, 57, 87].map((cause) => ({ finalCode: 480, reasons: [`Q.850;cause=${cause}`] })),
    ],
  },
  CONGESTION: {
    sli: 'bad',
    ner: [0, 1],
    endings: [
      { finalCode: 503 },
      { finalCode: 503, reasons: ['Q.850;cause=31'] },
      ...[34, 42, 44, 47].map((cause) => ({ finalCode: 480, reasons: [`Q.850;cause=${cause}`] })),
    ],
  },
  NETWORK: {
    sli: 'bad',
    ner: [0, 1],
    endings: [
      { finalCode: 408 },
      ...[500, 502, 504, 580, 507, 599].map((finalCode) => ({ finalCode })),
      { finalCode: 500, reasons: ['Q.850;cause=16'] },
      ...[2, 3, 25, 26, 27, 38, 41, 102, 111].map((cause) => ({
        finalCode: 404,
        reasons: [`Q.850;cause=${cause}`],
      })),
    ],
  },
  TIMEOUT: { sli: 'bad', ner: [0, 1], endings: [{ finalCode: 0 }] },
  PRE_RING_CANCEL: {
    sli: 'bad',
    ner: [0, 1],
    endings: [
      { finalCode: 487, cancel: { class: 'PRE_RING_CANCEL', sli: 'bad' } },
      { finalCode: 0, cancel: { class: 'PRE_RING_CANCEL', sli: 'bad' } },
      { finalCode: 503, cancel: { class: 'PRE_RING_CANCEL', sli: 'bad' } },
      { finalCode: 487, cancel: { class: 'ROUTE_ADVANCE', sli: 'bad' } },
    ],
  },
  ELSEWHERE: {
    sli: 'excluded',
    ner: [0, 0],
    endings: [
      { finalCode: 487, rang: true, cancel: { class: 'ELSEWHERE', sli: 'excluded' } },
      { finalCode: 487, cancel: { class: 'ELSEWHERE', sli: 'excluded' } },
    ],
  },
  UNKNOWN: {
    sli: 'bad',
    ner: [0, 1],
    endings: [
      { finalCode: 499 },
      { finalCode: 699 },
      { finalCode: 422 },
      { finalCode: 487, rang: true, cancel: { class: '487_NO_CANCEL', sli: 'bad' } },
    ],
  },
}

describe('disposition', () => {
  test('the table has a row for every class', () => {
    expect(Object.keys(TABLE).sort()).toEqual([...DISPOSITIONS].sort())
  })

  for (const [disposition, { sli, ner, endings }] of Object.entries(TABLE)) {
    for (const ending of endings) {
      const { finalCode, phrase, reasons = [], rang, cancel } = ending
      const told = [
        finalCode === 0 ? 'no response' : `${finalCode}`,
        phrase && `"${phrase}"`,
        ...reasons,
        rang && 'after ringing',
        cancel && `cancelled (${cancel.class})`,
      ]
      test(`${told.filter(Boolean).join(', ')} is ${disposition}, ${sli}`, () => {
        expect(judged(ending)).toEqual({ disposition, sli, nerNumerator: ner[0], nerDenominator: ner[1] })
      })
    }
  }

  test('a misdialled call is taken out of the SLI', () => {
    expect(judged({ finalCode: 487, cancel: { class: 'PRE_RING_CANCEL', sli: 'excluded' } }).sli).toBe(
      'excluded',
    )
  })

  test('2xx, 3xx, 401 and 407 come before the CANCEL analysis', () => {
    const cancel = { class: 'PRE_RING_CANCEL', sli: 'bad' } as const
    expect([200, 302, 401, 407].map((finalCode) => judged({ finalCode, cancel }).disposition)).toEqual([
      'ANSWERED',
      'REDIRECT',
      'AUTH',
      'AUTH',
    ])
  })

  test('the CANCEL analysis comes before codes and causes', () => {
    const cancel = { class: 'CALLER_ABANDON_RING', sli: 'good' } as const
    expect(judged({ finalCode: 486, rang: true, cancel, reasons: ['Q.850;cause=34'] }).disposition).toBe(
      'NO_ANSWER',
    )
    expect(judged({ finalCode: 608, rang: true, cancel }).disposition).toBe('NO_ANSWER')
  })

  test('blocking comes before the Q.850 cause', () => {
    expect(
      judged({ finalCode: 603, phrase: 'Network Blocked', reasons: [ANALYTICS, 'Q.850;cause=17'] })
        .disposition,
    ).toBe('BLOCKED')
  })

  test('causes 16, 31 and 127 say nothing, nor does one that is not listed', () => {
    for (const cause of [16, 31, 127, 79, 999])
      expect(judged({ finalCode: 486, reasons: [`Q.850;cause=${cause}`] }).disposition).toBe('BUSY')
  })

  test('a cause of another protocol does not count', () => {
    expect(judged({ finalCode: 404, reasons: ['SIP;cause=486', 'X;cause=17'] }).disposition).toBe(
      'INVALID_NUMBER',
    )
  })
})
