import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { InventoryBuilder, type InventoryRange } from '../../../api/numbers/inventory.js'

const BASE = 14_155_550_000

function built(rows: readonly (Partial<InventoryRange> & { from: number })[]) {
  const builder = new InventoryBuilder()
  for (const [at, row] of rows.entries()) {
    builder.add({ to: row.from, carrier: 'alpha', country: 'US', type: 'geographic', line: at + 2, ...row })
  }
  return builder.build()
}

describe('the number inventory', () => {
  test('finds a number with or without +, and no other text', () => {
    const { inventory } = built([{ from: BASE + 100, carrier: 'beta' }, { from: BASE }])
    expect(inventory.find('+14155550100')).toEqual({ carrier: 'beta', country: 'US', type: 'geographic' })
    expect(inventory.find('14155550100')?.carrier).toBe('beta')
    expect(inventory.find('+14155550000')?.carrier).toBe('alpha')
    for (const text of [
      '',
      '+',
      '+14155550001',
      '+014155550100',
      '014155550100',
      '4155550100',
      '+1415555010',
      '+1415555010x',
      '++14155550100',
      '+1 4155550100',
      '1'.repeat(1e6),
    ]) {
      expect(inventory.find(text)).toBeUndefined()
    }
  })

  test('numbers that follow each other and are of one carrier stand in one entry', () => {
    const { inventory } = built(Array.from({ length: 5_000 }, (_, at) => ({ from: BASE + at })))
    expect([inventory.ranges, inventory.numbers, inventory.bytes]).toEqual([1, 5_000, 20])
  })

  test('a number within a block of another carrier is an exception, not a contradiction', () => {
    const { inventory, overlaps } = built([
      { from: BASE, to: BASE + 9_999 },
      { from: BASE + 5, carrier: 'beta' },
      { from: BASE + 1_000, to: BASE + 1_999, carrier: 'gamma' },
      { from: BASE + 1_500, carrier: 'alpha' },
    ])
    expect(overlaps).toEqual([])
    const of = (at: number) => inventory.find(`+${BASE + at}`)?.carrier
    expect([0, 4, 5, 6, 999, 1_000, 1_499, 1_500, 1_501, 1_999, 2_000, 9_999].map(of)).toEqual([
      'alpha',
      'alpha',
      'beta',
      'alpha',
      'alpha',
      'gamma',
      'gamma',
      'alpha',
      'gamma',
      'gamma',
      'alpha',
      'alpha',
    ])
    expect(of(10_000)).toBeUndefined()
    expect(inventory.numbers).toBe(10_000)
  })

  test('a number of two carriers is nobody’s until one is right, and both lines are told', () => {
    const { inventory, overlaps } = built([
      { from: BASE },
      { from: BASE + 1 },
      { from: BASE, carrier: 'beta' },
    ])
    expect(inventory.find(`+${BASE}`)).toBeUndefined()
    expect(inventory.find(`+${BASE + 1}`)?.carrier).toBe('alpha')
    expect(overlaps.map(({ kind, line, other }) => [kind, line, other]).sort()).toEqual([
      ['contradiction', 2, 4],
      ['contradiction', 4, 2],
    ])
  })

  test('blocks that overlap and neither holds the other contradict, unless the carrier is the same', () => {
    const { inventory, overlaps } = built([
      { from: BASE, to: BASE + 99 },
      { from: BASE + 50, to: BASE + 149, carrier: 'beta' },
      { from: BASE + 1_000, to: BASE + 1_099 },
      { from: BASE + 1_050, to: BASE + 1_149 },
    ])
    expect(inventory.find(`+${BASE + 10}`)).toBeUndefined()
    expect(inventory.find(`+${BASE + 1_149}`)?.carrier).toBe('alpha')
    expect(inventory.numbers).toBe(150)
    expect(overlaps.map(({ kind, line, other }) => [kind, line, other]).sort()).toEqual([
      ['contradiction', 2, 3],
      ['contradiction', 3, 2],
      ['duplicate', 5, 4],
    ])
  })

  test('the same row twice is a duplicate, and counts once', () => {
    const { inventory, overlaps } = built([{ from: BASE }, { from: BASE }, { from: BASE }])
    expect(inventory.numbers).toBe(1)
    expect(overlaps.map(({ kind, line, other }) => [kind, line, other])).toEqual([
      ['duplicate', 3, 2],
      ['duplicate', 4, 2],
    ])
  })

  test('what it says of a number does not depend on the order of the rows, and equals a search by hand', () => {
    const row = fc.record({
      from: fc.integer({ min: 0, max: 60 }),
      length: fc.integer({ min: 1, max: 40 }),
      carrier: fc.constantFrom('alpha', 'beta', 'gamma'),
    })
    fc.assert(
      fc.property(fc.array(row, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (rows, shuffle) => {
        const ranges = rows.map(({ from, length, carrier }) => ({
          from: BASE + from,
          to: BASE + from + length - 1,
          carrier,
        }))
        const answersOf = (list: typeof ranges) => {
          const { inventory } = built(list)
          return Array.from({ length: 105 }, (_, at) => inventory.find(`+${BASE + at}`)?.carrier)
        }
        const answers = answersOf(ranges)
        const mixed = ranges
          .map((range) => ({ range, by: shuffle.next().value as number }))
          .sort((a, b) => a.by - b.by)
          .map(({ range }) => range)
        expect(answersOf(mixed)).toEqual(answers)
        expect(answers).toEqual(Array.from({ length: 105 }, (_, at) => byHand(ranges, BASE + at)))
      }),
      { numRuns: 400 },
    )
  })

  test('many blocks within and across each other are read in good time', () => {
    const nested = Array.from({ length: 20_000 }, (_, at) => ({
      from: BASE + at,
      to: BASE + 100_000 - at,
      carrier: `c${at % 7}`,
    }))
    const crossing = Array.from({ length: 20_000 }, (_, at) => ({
      from: BASE + at,
      to: BASE + 50_000 + at,
      carrier: `c${at % 7}`,
    }))
    expect(built(nested).overlaps.length).toBeLessThanOrEqual(20_000)
    expect(built(crossing).overlaps.length).toBeLessThanOrEqual(20_000)
  })
})

interface Range {
  from: number
  to: number
  carrier: string
}

/** Rows that contradict another are nobody's; of the rest the shortest that holds the number. */
function byHand(ranges: readonly Range[], number: number): string | undefined {
  const contradicts = (a: Range, b: Range) => {
    if (a.carrier === b.carrier || a.to < b.from || b.to < a.from) return false
    const isWithin = (x: Range, y: Range) => x.from >= y.from && x.to <= y.to
    const isSame = a.from === b.from && a.to === b.to
    return isSame || (!isWithin(a, b) && !isWithin(b, a))
  }
  const holding = ranges
    .filter((range) => !ranges.some((other) => contradicts(range, other)))
    .filter(({ from, to }) => from <= number && number <= to)
    .sort((a, b) => a.to - a.from - (b.to - b.from))
  return holding[0]?.carrier
}
