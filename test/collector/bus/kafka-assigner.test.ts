import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeHeld, type Member, shareOut } from '../../../collector/bus/kafka-assigner.js'

const anyMembers: fc.Arbitrary<Member[]> = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 9 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((memberId) => fc.array(fc.nat(40), { maxLength: 12 }).map((held) => ({ memberId, held }))),
    ),
  )

const anyBase = fc.integer({ min: 1, max: 30 })

describe('kafka assigner', () => {
  test('every base partition has one member, and shares differ by one at most', () => {
    const property = fc.property(anyMembers, anyBase, (members, base) => {
      const shares = shareOut(members, base)
      expect([...shares.keys()].sort()).toEqual(members.map(({ memberId }) => memberId).sort())
      const all = [...shares.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: base }, (_, index) => index))
      const sizes = [...shares.values()].map(({ length }) => length)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
    })
    fc.assert(property)
  })

  test('the same members in another order get the same', () => {
    const property = fc.property(anyMembers, anyBase, (members, base) => {
      const sorted = (shares: Map<string, number[]>) => [...shares].sort(([a], [b]) => (a < b ? -1 : 1))
      expect(sorted(shareOut([...members].reverse(), base))).toEqual(sorted(shareOut(members, base)))
    })
    fc.assert(property)
  })

  test('who comes or goes moves no more than its own share', () => {
    const property = fc.property(fc.integer({ min: 1, max: 8 }), anyBase, (count, base) => {
      const ids = Array.from({ length: count }, (_, index) => ({ memberId: `m${index}`, held: [] }))
      const settled = shareOut(ids, base)
      const held = [...settled].map(([memberId, bases]) => ({ memberId, held: bases }))
      const joined = shareOut([...held, { memberId: 'new', held: [] }], base)
      const moved = held.reduce((sum, member) => {
        const kept = joined.get(member.memberId)!.filter((b) => member.held.includes(b)).length
        return sum + member.held.length - kept
      }, 0)
      expect(moved).toBe(joined.get('new')!.length)
      expect(shareOut(held, base)).toEqual(settled)
      const [, ...stayed] = held
      if (stayed.length === 0) return
      const left = shareOut(stayed, base)
      for (const member of stayed)
        expect(left.get(member.memberId)).toEqual(expect.arrayContaining(member.held))
    })
    fc.assert(property)
  })

  test('what a member says it holds is taken as far as it is legible', () => {
    expect(decodeHeld(Buffer.from([0, 1, 0, 7, 9]))).toEqual([1, 7])
    expect(decodeHeld(null)).toEqual([])
  })
})
