import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAttestationInfo, readVerstat, verstatOf } from '../../sip/verstat.js'

describe('verstat', () => {
  test('a tel URI in P-Asserted-Identity is heard before a SIP URI there, and that before From', () => {
    const tel = '<tel:+12155551212;verstat=TN-Validation-Passed-A>'
    const sip = '<sip:+12155551212;verstat=TN-Validation-Failed@a.example;user=phone>'
    const from = '<sip:+12155551212@a.example;verstat=No-TN-Validation>;tag=1'
    expect(verstatOf([sip, tel], from).value).toBe('TN-Validation-Passed-A')
    expect(verstatOf([sip], from).value).toBe('TN-Validation-Failed')
    expect(verstatOf(['<sip:a@b>'], from).value).toBe('No-TN-Validation')
    expect(verstatOf([], '<sip:a@b>;verstat=TN-Validation-Passed').value).toBe('TN-Validation-Passed')
    expect(verstatOf([], '<sip:a@b>;tag=1')).toEqual({ value: '', verdict: '', level: '', isDiverted: false })
  })

  test.each([
    ['TN-Validation-Passed', 'passed', 'A', false],
    ['tn-validation-passed-b', 'passed', 'B', false],
    ['TN-Validation-Passed-C', 'passed', 'C', false],
    ['TN-Validation-Passed-A-Diverted', 'passed', 'A', true],
    ['TN-Validation-Failed', 'failed', '', false],
    ['TN-Validation-Failed-C', 'failed', 'C', false],
    ['No-TN-Validation', 'none', '', false],
    ['Anything-Else', 'unknown', '', false],
  ])('%s is %s, level %s', (value, verdict, level, isDiverted) => {
    expect(readVerstat(value)).toMatchObject({ verdict, level, isDiverted })
  })

  test('Attestation-Info is a level or nothing', () => {
    expect(['A', ' b ', '"C"', 'A;x=1', 'D', 'AB', ''].map(readAttestationInfo)).toEqual([
      'A',
      'B',
      'C',
      'A',
      '',
      '',
      '',
    ])
  })

  test('any text gives an answer (fuzz)', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => typeof verstatOf([a], b).value === 'string'))
  })
})
