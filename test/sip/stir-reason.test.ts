import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAboutToken, stirReasonsOf } from '../../sip/stir-reason.js'

describe('Reason of a verification service', () => {
  test('several are read, each with the token that it is about', () => {
    const reasons = stirReasonsOf([
      'Q.850;cause=16',
      'STIR;cause=436;text="Bad Identity Info";ppi="..sig-1"',
      'stir ;cause=438;ppi="a.b.sig-2"',
      'STIR',
    ])
    expect(reasons).toEqual([
      { cause: 436, text: 'Bad Identity Info', ppi: '..sig-1' },
      { cause: 438, text: '', ppi: 'a.b.sig-2' },
      { cause: -1, text: '', ppi: '' },
    ])
    expect(isAboutToken(reasons[0]!, 'h.p.sig-1')).toBe(true)
    expect(isAboutToken(reasons[1]!, '..sig-2')).toBe(true)
    expect(isAboutToken(reasons[0]!, 'h.p.sig-2')).toBe(false)
    expect(isAboutToken(reasons[2]!, 'h.p.')).toBe(false)
  })

  test('any text gives an answer (fuzz)', () => {
    fc.assert(fc.property(fc.array(fc.string()), (values) => Array.isArray(stirReasonsOf(values))))
  })
})
