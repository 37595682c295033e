import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { flapsSince, reachabilityOf, type StateMinute, type TrunkState } from '../../../api/trunks/state.js'
import { configSchema } from '../../../schemas/config.js'

const { thresholds } = configSchema.parse({})
const START_S = 1_795_176_000

/**
 * Minutes as words, one each: "." nothing seen; o OPTIONS answered; x OPTIONS unanswered; s OPTIONS answered 503;
 * c call answered; u call without an answer; r call refused with 503. In the order of the minute.
 */
function minutesOf(words: string): StateMinute[] {
  return words.split(' ').flatMap((word, index) => {
    if (word === '.') return []
    const minuteS = START_S + index * 60
    const letters = [...word]
    const many = (letter: string) => letters.filter((one) => one === letter).length
    const life = letters.findLastIndex((letter) => 'oscr'.includes(letter))
    return [
      {
        minuteS,
        options: { good: many('o'), bad: many('s'), lost: many('x') },
        calls: { good: many('c'), bad: many('r'), lost: many('u') },
        unansweredAfter: letters.slice(life + 1).filter((letter) => 'xu'.includes(letter)).length,
        lastLifeUs: life < 0 ? 0 : minuteS * 1e6 + life * 1_000,
      },
    ]
  })
}
function judged(words: string) {
  const minutes = minutesOf(words)
  return reachabilityOf(
    minutes,
    { fromS: START_S, untilS: START_S + words.split(' ').length * 60 },
    thresholds,
  )
}

describe('the state of a trunk', () => {
  const cases: [words: string, state: TrunkState, why: RegExp][] = [
    ['. . .', 'unknown', /^nothing was seen of it$/],
    ['o', 'up', /1 of 1 OPTIONS answered$/],
    ['c', 'up', /1 of 1 calls answered$/],
    // A single lost packet is nothing, two of five are a fifth and more.
    ['o o x o o', 'up', /4 of 5 OPTIONS answered, 1 without an answer/],
    ['o x o x o', 'degraded', /3 of 5 OPTIONS answered, 2 without/],
    ['oooo oooo ox ox', 'up', /10 of 12/],
    // Exactly a fifth, and just below.
    ['oooox oooox', 'degraded', /8 of 10/],
    ['oooox ooooox', 'up', /9 of 11/],
    ['o s s', 'degraded', /1 of 3 OPTIONS answered, 2 refused by the far side \(5xx\)/],
    ['cccccccc rrr', 'degraded', /8 of 11 calls answered, 3 refused by the far side \(503\)/],
    ['cccccccc rr', 'up', /8 of 10/],
    // Pings that fail are not thinned by calls that work.
    ['occcccccccc xcccccccccc xcccccccccc', 'degraded', /1 of 3 OPTIONS/],
    [
      'o x x x',
      'down',
      /^3 exchanges in a row got no answer; the last sign of life was at 2026-11-20T12:00Z$/,
    ],
    ['o xxx', 'down', /3 exchanges/],
    ['o xu x', 'down', /3 exchanges/],
    ['x x x', 'down', /no sign of life is known/],
    ['x x', 'unknown', /2 exchanges got no answer, too few to call it down/],
    // Their OPTIONS and refusals are life.
    ['o x x s', 'degraded', /3 OPTIONS|1 of 4/],
    ['o . . . . . . . .', 'up', /the last sign of life was at/],
    ['o . . . . . . . . . .', 'unknown', /nothing was seen of it for 10 min or longer; the last/],
    ['o x x x . . . . . . . .', 'down', /3 exchanges/],
    ['o x x x . . . . . . . . . .', 'unknown', /nothing was seen/],
    // Back with the first sign of life, whatever failed before it.
    ['o x x x o', 'up', /the last sign of life/],
    ['o x x x xxo o', 'up', /1 of 1/],
  ]
  test.each(cases)('%s is %s', (words, state, why) => {
    const found = judged(words)
    expect([found.state, found.why]).toEqual([state, expect.stringMatching(why)])
  })

  test('two in a row are not down yet: it is degraded by their share', () => {
    expect(judged('o x x')).toMatchObject({ state: 'degraded' })
    expect(judged('o o o o o . . . . x x').state).toBe('degraded')
  })

  test('changes carry their time and reason, and unknown is no flap', () => {
    const found = judged('o o x x x o o . . . . . . . . . . o')
    expect(found.changes.map(({ atS, from, to }) => [(atS - START_S) / 60, from, to])).toEqual([
      [0, 'unknown', 'up'],
      [3, 'up', 'degraded'],
      [4, 'degraded', 'down'],
      [5, 'down', 'up'],
      [16, 'up', 'unknown'],
      [17, 'unknown', 'up'],
    ])
    expect(found.sinceS).toBe(START_S + 17 * 60)
    expect(flapsSince(found.changes, START_S)).toBe(3)
    expect(flapsSince(found.changes, START_S + 5 * 60)).toBe(1)
  })

  test('degraded ends below half of what began it', () => {
    const words = 'oooox oooox oooooox ooooooo ooooooo'
    expect(judged('oooox oooox').state).toBe('degraded')
    expect(judged(`${words}`).state).toBe('up')
    expect(judged('oooox oooox oooooox').state).toBe('degraded')
  })

  test('a single lost packet now and then is no flap, whatever the rhythm (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 9 }), fc.integer({ min: 1, max: 4 }), (every, pings) => {
        const words = Array.from(
          { length: 60 },
          (_, at) => `${at % every === 3 ? 'x' : ''}${'o'.repeat(pings)}`,
        )
        expect(judged(words.join(' ')).changes).toHaveLength(1)
      }),
    )
  })

  test('any minutes give a state, and down only after so many in a row (property)', () => {
    const word = fc.oneof(fc.constant('.'), fc.stringMatching(/^[oxscur]{1,5}$/))
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), (words) => {
        const found = judged(words.join(' '))
        if (found.state !== 'down') return
        expect(words.filter((one) => one !== '.').join('')).toMatch(/[xu]{3}$/)
      }),
    )
  })
})
