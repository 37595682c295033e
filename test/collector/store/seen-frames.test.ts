import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SeenFrames } from '../../../collector/store/seen-frames.js'

const hashOf = (text: string | number) => createHash('sha256').update(String(text)).digest('hex').slice(0, 32)

describe('seen frames', () => {
  it('the same message received at another time is a copy, and so is one in the same batch at the same time', () => {
    const seen = new SeenFrames()
    expect(seen.see(hashOf('a'), 1, 1_000, 0)).toBe('new')
    expect(seen.see(hashOf('b'), 1, 1_000, 0)).toBe('new')
    expect(seen.see(hashOf('a'), 1, 1_001, 0)).toBe('copy')
    expect(seen.see(hashOf('a'), 1, 1_001, 0)).toBe('copy')
    expect(seen.see(hashOf('a'), 1, 9_000, 7)).toBe('copy')
  })

  it('one receipt that stands twice on the bus is a repeat, of the first message as of a copy', () => {
    const seen = new SeenFrames()
    seen.see(hashOf('a'), 1, 1_000, 0)
    seen.see(hashOf('a'), 1, 1_001, 0)
    expect(seen.see(hashOf('a'), 1, 1_000, 5)).toBe('repeat')
    expect(seen.see(hashOf('a'), 1, 1_001, 5)).toBe('repeat')
    expect(seen.see(hashOf('a'), 1, 1_002, 5)).toBe('copy')
  })

  it('what another count saw is new', () => {
    const seen = new SeenFrames()
    seen.see(hashOf('a'), 1, 1_000, 0)
    expect(seen.see(hashOf('a'), 2, 1_000, 0)).toBe('new')
    expect(seen.see(hashOf('a'), 2, 2_000, 0)).toBe('copy')
  })

  it('remembers at least 65,536 frames, and forgets after twice as many', () => {
    const seen = new SeenFrames()
    for (let n = 0; n < 65_536; n++) seen.see(hashOf(n), 1, n, n)
    expect(seen.see(hashOf(0), 1, 1e9, 0)).toBe('copy')
    for (let n = 65_536; n < 65_536 * 3; n++) seen.see(hashOf(n), 1, n, n)
    expect(seen.see(hashOf(0), 1, 1e9, 0)).toBe('new')
    expect(seen.see(hashOf(65_536 * 3 - 1), 1, 1e9, 0)).toBe('copy')
  })

  it('a flood of one message costs no more than other messages', () => {
    const seen = new SeenFrames()
    const hash = hashOf('flood')
    const sightings = Array.from({ length: 200_000 }, (_, n) => seen.see(hash, 1, n, 0))
    expect(new Set(sightings.slice(1))).toEqual(new Set(['copy']))
  })

  it('agrees with a list of all receipts, in any order, for as many as it keeps', () => {
    const receipt = fc.record({ message: fc.nat(20), received: fc.nat(7), position: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(receipt, { maxLength: 60 }), (receipts) => {
        const seen = new SeenFrames()
        const kept: typeof receipts = []
        for (const { message, received, position } of receipts) {
          const same = kept.filter((one) => one.message === message)
          const isRepeat = same.some((one) => one.received === received && one.position !== position)
          const expected = same.length === 0 ? 'new' : isRepeat ? 'repeat' : 'copy'
          expect(seen.see(hashOf(message), 3, received, position)).toBe(expected)
          if (!isRepeat && same.length < 8) kept.push({ message, received, position })
        }
      }),
    )
  })
})
