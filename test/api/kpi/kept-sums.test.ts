import { describe, expect, it } from 'vitest'
import { type GroupSums, KeptSums, keptSumsOf } from '../../../api/kpi/kept-sums.js'
import { Readers } from '../../../api/readers.js'

const group = (attempts: number): GroupSums => ({
  by: { carrier: 'alpha' },
  sums: { counts: { attempts }, maps: { responses: { 200: attempts } }, exactMs: undefined },
})
/** Two numbers, and one for the key. */
const NUMBERS = 3

describe('kept sums', () => {
  it('are given back under their key only, an empty answer too', () => {
    const kept = new KeptSums()
    kept.put('a', [group(1)])
    kept.put('b', [])
    expect(kept.get('a')).toEqual([group(1)])
    expect(kept.get('b')).toEqual([])
    expect(kept.get('c')).toBeUndefined()
  })

  it('are bounded: the one asked for longest ago goes first', () => {
    const kept = new KeptSums(() => 0, 2 * NUMBERS)
    kept.put('a', [group(1)])
    kept.put('b', [group(2)])
    kept.get('a')
    kept.put('c', [group(3)])
    expect([kept.get('a'), kept.get('b'), kept.get('c')]).toEqual([[group(1)], undefined, [group(3)]])
    expect(kept.numbers).toBe(2 * NUMBERS)
  })

  it('that are larger than all there may be are not kept', () => {
    const kept = new KeptSums(() => 0, 10)
    kept.put(
      'a',
      Array.from({ length: 20 }, () => group(1)),
    )
    expect([kept.get('a'), kept.numbers]).toEqual([undefined, 0])
  })

  it('are written anew under the same key without counting twice', () => {
    const kept = new KeptSums()
    kept.put('a', [group(1)])
    kept.put('a', [group(2)])
    expect([kept.get('a'), kept.numbers]).toEqual([[group(2)], NUMBERS])
  })

  it('hold for ten minutes, however often they are asked for', () => {
    let nowMs = 0
    const kept = new KeptSums(() => nowMs)
    kept.put('a', [group(1)])
    nowMs = 599_000
    expect(kept.get('a')).toBeDefined()
    nowMs = 601_000
    expect(kept.get('a')).toBeUndefined()
    expect(kept.numbers).toBe(0)
  })

  it('are one to everybody who reads through the same connections', () => {
    const readers = new Readers([])
    const other = readers.seenBy({ id: 'alpha', role: 'viewer', carriers: ['alpha'] })
    expect(keptSumsOf(other)).toBe(keptSumsOf(readers))
    expect(keptSumsOf(new Readers([]))).not.toBe(keptSumsOf(readers))
  })
})
