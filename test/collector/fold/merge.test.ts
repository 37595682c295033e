import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  earlier,
  keyHash,
  later,
  mergeStamps,
  putAll,
  putCapped,
  texts,
  times,
} from '../../../collector/fold/merge.js'

describe('merge', () => {
  test('earlier and later take the one there is, or the smaller and the greater of two', () => {
    expect([
      earlier(undefined, 2),
      earlier(2, undefined),
      earlier(3, 2),
      earlier(undefined, undefined),
    ]).toEqual([2, 2, 2, undefined])
    expect([later(undefined, 2), later(2, undefined), later(3, 2), later(undefined, undefined)]).toEqual([
      2,
      2,
      3,
      undefined,
    ])
  })

  test('which entries of a full set stay does not depend on the order in which they came', () => {
    fc.assert(
      fc.property(
        fc
          .uniqueArray(fc.string({ maxLength: 4 }), { maxLength: 30, size: 'max' })
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          const [one, other]: [string[], string[]] = [[], []]
          const overflows = [putAll(one, all, texts(8)), putAll(other, shuffled, texts(8))]
          expect(one.sort()).toEqual(other.sort())
          expect(overflows).toEqual([all.length > 8, all.length > 8])
          const byHash = [...all].sort((a, b) => keyHash(a) - keyHash(b) || (a < b ? -1 : 1))
          expect(one).toEqual(byHash.slice(0, 8).sort())
        },
      ),
    )
  })

  test('an entry that is there already is no overflow', () => {
    const set = ['a', 'b']
    expect(putCapped(set, 'a', texts(2))).toBe(false)
    expect(set).toEqual(['a', 'b'])
  })

  test('an overflow in a set inside is told', () => {
    const set = { same: () => true, mergeInto: () => true, keyOf: String, cap: 3 }
    expect(putCapped([1], 2, set)).toBe(true)
  })

  test('of two times of one agent the earlier stays', () => {
    const set = [{ agent: 'a', atUs: 5 }]
    putAll(
      set,
      [
        { agent: 'a', atUs: 3 },
        { agent: 'b', atUs: 9 },
        { agent: 'b', atUs: 10 },
      ],
      times(8),
    )
    expect(set).toEqual([
      { agent: 'a', atUs: 3 },
      { agent: 'b', atUs: 9 },
    ])
  })

  test('stamps are distinct, ascending, and the earliest', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { size: 'max', maxLength: 40 }), fc.array(fc.nat(20)), (a, b) => {
        const stamps: number[] = []
        mergeStamps(stamps, a, 6)
        mergeStamps(stamps, b, 6)
        expect(stamps).toEqual([...new Set([...a, ...b])].sort((x, y) => x - y).slice(0, 6))
      }),
    )
  })
})
