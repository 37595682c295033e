import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StoredIndex } from '../../../collector/store/stored-index.js'

const idOf = (n: number) => createHash('sha256').update(String(n)).digest('hex').slice(0, 32)
const MINUTE_S = 29_822_940 * 60

describe('stored index', () => {
  test('knows the minute of what was stored, and whether its INVITE was seen', () => {
    const index = new StoredIndex()
    index.set(idOf(1), MINUTE_S, false)
    index.set(idOf(2), MINUTE_S + 60, true)
    expect(index.get(idOf(1))).toEqual({ minuteS: MINUTE_S, lacksInvite: false })
    expect(index.get(idOf(2))).toEqual({ minuteS: MINUTE_S + 60, lacksInvite: true })
    expect(index.get(idOf(3))).toBeUndefined()
    expect([index.size, index.horizonS]).toEqual([2, 0])
  })

  test('the last word on an attempt stands', () => {
    const index = new StoredIndex()
    index.set(idOf(1), MINUTE_S, true)
    index.set(idOf(1), MINUTE_S - 60, false)
    expect(index.get(idOf(1))).toEqual({ minuteS: MINUTE_S - 60, lacksInvite: false })
    expect(index.size).toBe(1)
  })

  test('ids that fall on one place are told apart', () => {
    const index = new StoredIndex()
    const ids = [0, 1, 2, 3].map((n) => `${'0'.repeat(7)}${n}${'0'.repeat(24)}`)
    for (const [n, id] of ids.entries()) index.set(id, MINUTE_S + 60 * n, false)
    expect(ids.map((id) => index.get(id)?.minuteS)).toEqual([0, 60, 120, 180].map((s) => MINUTE_S + s))
  })

  test('answers as a map would, whatever is set in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ n: fc.nat(400), minute: fc.nat(50), lacksInvite: fc.boolean() }), {
          size: 'max',
          maxLength: 1_500,
        }),
        (entries) => {
          const index = new StoredIndex()
          const model = new Map<string, { minuteS: number; lacksInvite: boolean }>()
          for (const { n, minute, lacksInvite } of entries) {
            const minuteS = MINUTE_S + minute * 60
            index.set(idOf(n), minuteS, lacksInvite)
            model.set(idOf(n), { minuteS, lacksInvite })
          }
          for (let n = 0; n <= 400; n++) expect(index.get(idOf(n))).toEqual(model.get(idOf(n)))
          expect(index.size).toBe(model.size)
        },
      ),
      { numRuns: 20 },
    )
  })

  test('grows past its first places', () => {
    const index = new StoredIndex()
    for (let n = 0; n < 50_000; n++) index.set(idOf(n), MINUTE_S + (n % 100) * 60, n % 3 === 0)
    expect(index.size).toBe(50_000)
    for (let n = 0; n < 50_000; n += 97) {
      expect(index.get(idOf(n))).toEqual({ minuteS: MINUTE_S + (n % 100) * 60, lacksInvite: n % 3 === 0 })
    }
  })

  describe('when it is full', () => {
    const full = () => {
      const index = new StoredIndex(100)
      for (let n = 0; n <= 100; n++) index.set(idOf(n), MINUTE_S + n * 60, n % 2 === 0)
      return index
    }

    test('the older half leaves, and the horizon says up to where nothing is known', () => {
      const index = full()
      expect(index.horizonS).toBe(MINUTE_S + 50 * 60)
      expect(index.size).toBe(50)
      for (let n = 0; n <= 100; n++) expect(index.get(idOf(n)) !== undefined).toBe(n > 50)
    })

    test('what begins after the horizon is known exactly if it was stored', () => {
      const index = full()
      for (let n = 101; n < 400; n++) {
        index.set(idOf(n), MINUTE_S + n * 60, false)
        for (let known = 0; known <= n; known++) {
          const isAfter = MINUTE_S + known * 60 > index.horizonS
          expect(index.get(idOf(known)) !== undefined).toBe(isAfter)
        }
        expect(index.size).toBeLessThanOrEqual(100)
      }
    })

    test('what lies before the horizon is not taken in any more', () => {
      const index = full()
      index.set(idOf(999), MINUTE_S + 50 * 60, false)
      expect(index.get(idOf(999))).toBeUndefined()
    })

    test('a single minute that fills it leaves altogether', () => {
      const index = new StoredIndex(10)
      for (let n = 0; n <= 10; n++) index.set(idOf(n), MINUTE_S, false)
      expect([index.size, index.horizonS]).toEqual([0, MINUTE_S])
    })
  })
})
