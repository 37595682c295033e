import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalNumber, NumberDigests } from '../../../api/audit/number-digests.js'

const KEYS = ['k'.repeat(40), 'l'.repeat(40)]
const digests = new NumberDigests(KEYS)

describe('digests of numbers', () => {
  it('are the same however a number is typed', () => {
    const { digest, keyId } = digests.of('+12025550143')!
    for (const typed of [
      '12025550143',
      '0012025550143',
      '+1 (202) 555-0143',
      'tel:+1.202.555.0143',
      ' 12025550143',
    ]) {
      expect([typed, digests.of(typed)]).toEqual([typed, { digest, keyId }])
    }
    expect(digests.of('+12025550144')!.digest).not.toBe(digest)
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    expect(keyId).toMatch(/^[0-9a-f]{8}$/)
  })

  it('a search for last digits is another text than a number of these digits', () => {
    expect(canonicalNumber('*550143')).toBe('*550143')
    expect(digests.of('*550143')!.digest).not.toBe(digests.of('550143')!.digest)
  })

  it('a number is found by its own digest and by that of each of its endings, under every key', () => {
    const finders = digests.findersOf('+12025550143')
    expect(finders).toHaveLength(2 * (1 + 8))
    const old = new NumberDigests([KEYS[1]!])
    for (const typed of ['+12025550143', '*0143', '*2025550143', '0012025550143']) {
      expect(finders).toContain(digests.of(typed)!.digest)
      expect(finders).toContain(old.of(typed)!.digest)
    }
    for (const typed of ['*0144', '+2025550143', '2025550143']) {
      expect([typed, finders.includes(digests.of(typed)!.digest)]).toEqual([typed, false])
    }
  })

  it('what is no number has none, and without a key there are none', () => {
    for (const text of ['', '*12', 'anonymous', '<script>', '+']) {
      expect(digests.of(text)).toBeUndefined()
      expect(digests.findersOf(text)).toEqual([])
    }
    expect(new NumberDigests([]).of('+12025550143')).toBeUndefined()
    expect(new NumberDigests([]).hasKey).toBe(false)
  })

  it('any text gives a digest or none, never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+*0-9 ()-]{0,30}$/)), (text) => {
        const made = digests.of(text)
        if (made !== undefined) expect(digests.findersOf(text)).toContain(made.digest)
      }),
    )
  })
})
