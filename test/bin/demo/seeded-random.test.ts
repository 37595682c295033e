import { describe, expect, it } from 'vitest'
import { SeededRandom, WeightedChoice } from '../../../bin/demo/seeded-random.js'

const DRAWS = 40_000
const draw = (count: number, next: () => number) => Array.from({ length: count }, next)
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const median = (values: number[]) => values.sort((one, other) => one - other)[values.length >> 1]!

describe('seeded random', () => {
  it('gives the same numbers for the same seed, and others for another', () => {
    const words = (seed: number | string) => {
      const random = new SeededRandom(seed)
      return draw(20, () => random.word())
    }
    expect(words('seven')).toEqual(words('seven'))
    expect(words(7)).toEqual(words('7'))
    expect(words(7)).not.toEqual(words(8))
  })

  it('spreads its numbers evenly', () => {
    const random = new SeededRandom(1)
    const counts = new Array<number>(10).fill(0)
    for (let index = 0; index < DRAWS; index++) counts[random.integer(10)]!++
    for (const count of counts) expect(count / DRAWS).toBeCloseTo(0.1, 2)
  })

  it('has the mean, median and spread asked for', () => {
    const random = new SeededRandom(2)
    expect(mean(draw(DRAWS, () => random.exponential(5)))).toBeCloseTo(5, 0)
    expect(median(draw(DRAWS, () => random.logNormal(1.2, 0.5)))).toBeCloseTo(1.2, 1)
    const normals = draw(DRAWS, () => random.normal())
    expect(mean(normals)).toBeCloseTo(0, 1)
    expect(mean(normals.map((value) => value * value))).toBeCloseTo(1, 1)
    expect(random.hex(3)).toMatch(/^[0-9a-f]{24}$/)
  })

  it('draws by weight, and never what weighs nothing', () => {
    const random = new SeededRandom(3)
    const choice = new WeightedChoice([
      ['often', 3],
      ['never', 0],
      ['rarely', 1],
    ])
    const drawn = Array.from({ length: DRAWS }, () => choice.draw(random))
    expect(drawn.filter((item) => item === 'often').length / DRAWS).toBeCloseTo(0.75, 1)
    expect(drawn).not.toContain('never')
    expect([choice.share('often'), choice.share('rarely'), choice.share('never')]).toEqual([0.75, 0.25, 0])
    expect(() => new WeightedChoice([['never', 0]])).toThrow('at least one item')
  })
})
