import { describe, expect, test } from 'vitest'
import { fasScores, type PrefixAnswers } from '../../../api/early-media/fas-score.js'
import { FAS_CODES, FAS_PARTS, type FasCode } from '../../../schemas/anomalies.js'
import { configSchema } from '../../../schemas/config.js'

const { fas } = configSchema.parse({}).thresholds

/** A hundred ordinary answers of 200 attempts: nothing holds. */
function counts(changes: Partial<PrefixAnswers> = {}): PrefixAnswers {
  const answers = changes.answers ?? 100
  return {
    carrier: 'alpha',
    prefix: '+1215555',
    attempts: 2 * answers,
    answered: answers,
    answers,
    timed: answers,
    timeMeanMs: 10_000,
    timeDeviationMs: 4_000,
    lasted: answers,
    durationSumMs: answers * 120_000,
    byes: answers,
    calleeByes: answers / 2,
    noProgress: 0,
    earlyAnswer: 0,
    ...changes,
  }
}
const OTHERS = counts({ prefix: '+1303555', answers: 1_000 })
const PEER = counts({ carrier: 'beta', answers: 1_000 })

function statusOf(
  code: FasCode,
  own: Partial<PrefixAnswers>,
  beside: PrefixAnswers[] = [OTHERS, PEER],
): string {
  const { prefixes } = fasScores([counts(own), ...beside], fas)
  const part = prefixes
    .find(({ carrier, prefix }) => carrier === 'alpha' && prefix === '+1215555')
    ?.parts.find((one) => one.code === code)
  return part?.status ?? 'no score'
}
/** 200 attempts, half as long as the peers' calls but for a little. */
const peers = (answered: number, durationMs: number) => ({ answered, durationSumMs: 100 * durationMs })

describe('FAS', () => {
  test.each<[string, FasCode, Partial<PrefixAnswers>, string, PrefixAnswers[]?]>([
    ['29 answers have no score', 'FAS_FLAT_TTA', { answers: 29, timeDeviationMs: 0 }, 'no score'],
    ['30 have', 'FAS_FLAT_TTA', { answers: 30, timeDeviationMs: 0 }, 'holds'],
    ['a deviation of exactly 10 % of the mean', 'FAS_FLAT_TTA', { timeDeviationMs: 1_000 }, 'does_not_hold'],
    ['just below', 'FAS_FLAT_TTA', { timeDeviationMs: 999.999 }, 'holds'],
    ['29 with a time to answer', 'FAS_FLAT_TTA', { timed: 29, timeDeviationMs: 0 }, 'not_measured'],
    ['the callee ends exactly 2 %', 'FAS_CALLEE_NEVER_BYE', { calleeByes: 2 }, 'does_not_hold'],
    ['the callee ends 1 %', 'FAS_CALLEE_NEVER_BYE', { calleeByes: 1 }, 'holds'],
    ['30 BYEs are enough', 'FAS_CALLEE_NEVER_BYE', { byes: 30, calleeByes: 0 }, 'holds'],
    ['29 are not', 'FAS_CALLEE_NEVER_BYE', { byes: 29, calleeByes: 0 }, 'not_measured'],
    ['nobody else on the prefix', 'FAS_VS_PEERS', peers(180, 10_000), 'not_measured', [OTHERS]],
    [
      'peers with 29 answers',
      'FAS_VS_PEERS',
      peers(180, 10_000),
      'not_measured',
      [counts({ carrier: 'beta', answers: 29 })],
    ],
    [
      'peers with 30 answers',
      'FAS_VS_PEERS',
      peers(190, 10_000),
      'holds',
      [counts({ carrier: 'beta', answers: 30 })],
    ],
    ['more answers, as long', 'FAS_VS_PEERS', peers(180, 120_000), 'does_not_hold'],
    ['more answers, exactly half as long', 'FAS_VS_PEERS', peers(180, 60_000), 'does_not_hold'],
    ['more answers, a little shorter than half', 'FAS_VS_PEERS', peers(180, 59_999), 'holds'],
    ['as many answers, short', 'FAS_VS_PEERS', peers(100, 10_000), 'does_not_hold'],
    // ASR 0.5 of 2,000 and x of 200: three combined standard errors are 0.1074 at 0.609, 0.1077 at 0.605.
    ['less than three standard errors more', 'FAS_VS_PEERS', peers(121, 10_000), 'does_not_hold'],
    ['more than three', 'FAS_VS_PEERS', peers(122, 10_000), 'holds'],
    ['no other prefix', 'FAS_NO_PROGRESS', { noProgress: 50 }, 'not_measured', [PEER]],
    [
      'other prefixes with 29 answers',
      'FAS_NO_PROGRESS',
      { noProgress: 50 },
      'not_measured',
      [counts({ prefix: '+1', answers: 29 })],
    ],
    [
      'as on the others',
      'FAS_NO_PROGRESS',
      { noProgress: 50 },
      'does_not_hold',
      [{ ...OTHERS, noProgress: 500 }],
    ],
    [
      'more than on the others',
      'FAS_NO_PROGRESS',
      { noProgress: 70 },
      'holds',
      [{ ...OTHERS, noProgress: 500 }],
    ],
    [
      'may be chance',
      'FAS_NO_PROGRESS',
      { noProgress: 58 },
      'does_not_hold',
      [{ ...OTHERS, noProgress: 500 }],
    ],
    ['answered at once more than on the others', 'FAS_EARLY_ANSWER', { earlyAnswer: 10 }, 'holds'],
    ['never', 'FAS_EARLY_ANSWER', { earlyAnswer: 0 }, 'does_not_hold'],
    ['without a prefix nothing is scored', 'FAS_FLAT_TTA', { prefix: '', timeDeviationMs: 0 }, 'no score'],
  ])('%s', (_, code, own, status, beside) => {
    expect(statusOf(code, own, beside)).toBe(status)
  })

  test('the points of all parts are 100, and the score is the sum of those that hold', () => {
    expect(FAS_CODES.reduce((sum, code) => sum + FAS_PARTS[code].points, 0)).toBe(100)
    const worst = counts({
      ...peers(190, 10_000),
      timeDeviationMs: 10,
      calleeByes: 0,
      noProgress: 90,
      earlyAnswer: 90,
    })
    const [first] = fasScores([worst, OTHERS, PEER], fas).prefixes
    expect(first).toMatchObject({ carrier: 'alpha', prefix: '+1215555', score: 100, isFlagged: true })
    expect(fasScores([counts(), OTHERS, PEER], fas).prefixes.map(({ score }) => score)).toEqual([0, 0, 0])
  })

  test('a carrier is the mean of its prefixes, weighted by answers; flagged when enough of its answers are', () => {
    const machine = (answers: number) => counts({ answers, timeDeviationMs: 0, calleeByes: 0 })
    const carrierOf = (all: PrefixAnswers[]) =>
      fasScores(all, fas).carriers.find(({ carrier }) => carrier === 'alpha')
    expect(carrierOf([machine(100), counts({ prefix: '+1303555', answers: 300 })])).toEqual({
      carrier: 'alpha',
      answers: 400,
      answersScored: 400,
      prefixesScored: 2,
      prefixesFlagged: 1,
      score: 10,
      isFlagged: true,
    })
    // Exactly 5 % of the answers, and less.
    expect(carrierOf([machine(50), counts({ prefix: '+1303555', answers: 950 })])?.isFlagged).toBe(true)
    expect(carrierOf([machine(50), counts({ prefix: '+1303555', answers: 951 })])?.isFlagged).toBe(false)
    expect(carrierOf([machine(29)])).toMatchObject({ score: null, isFlagged: false, prefixesScored: 0 })
  })

  test('each part says its numbers, and what is missing where it cannot be measured', () => {
    const [alpha] = fasScores([counts({ timeDeviationMs: 0 })], fas).prefixes
    expect(alpha?.parts.map(({ code, why }) => `${code}: ${why()}`)).toEqual([
      'FAS_VS_PEERS: The other carriers that may be seen here have 0 answers on this prefix; 30 are needed.',
      'FAS_FLAT_TTA: Time to answer: mean 10.00 s, standard deviation 0.00 s.',
      'FAS_CALLEE_NEVER_BYE: The callee ended 50 of 100 calls (50.0 %).',
      'FAS_NO_PROGRESS: 0 of 100 answers (0.0 %); the other prefixes have 0 answers, 30 are needed to compare.',
      'FAS_EARLY_ANSWER: 0 of 100 answers (0.0 %); the other prefixes have 0 answers, 30 are needed to compare.',
    ])
  })
})
