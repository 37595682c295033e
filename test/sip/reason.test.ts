import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readReason } from '../../sip/reason.js'

describe('reason', () => {
  test.each([
    ['SIP;cause=200;text="Call completed elsewhere"', ['SIP', 200, 'Call completed elsewhere', '']],
    ['Q.850;cause=16;text="Terminated"', ['Q.850', 16, 'Terminated', '']],
    ['q.850 ; cause = 17 ; location=ln', ['Q.850', 17, '', 'LN']], // RFC 8606 §4
    ['Q.850;cause=34;location=LOC-6', ['Q.850', 34, '', 'LOC-6']],
    ['STIR;cause=436;text="Bad Identity Info";ppi="..sig"', ['STIR', 436, 'Bad Identity Info', '']],
    [
      'SIP;cause=603;text="v=analytics1;url=https://x.example/";location=RLN',
      ['SIP', 603, 'v=analytics1;url=https://x.example/', 'RLN'],
    ],
    ['Q.850;cause=21;text="a \\"quoted\\" word"', ['Q.850', 21, 'a "quoted" word', '']],
    ['Q.850;cause=16;text=Normal call clearing', ['Q.850', 16, 'Normal call clearing', '']],
    ['Q.850;cause=16;text="never closed', ['Q.850', 16, '"never closed', '']],
    ['SIP;cause=1;cause=2', ['SIP', 1, '', '']],
    ['SIP;cause=-5', ['SIP', -1, '', '']],
    ['SIP;cause=99999999999999999999', ['SIP', -1, '', '']],
    ['SIP;cause', ['SIP', -1, '', '']],
    ['Preemption ;cause=1 ;text="UA Preemption"', ['Preemption', 1, 'UA Preemption', '']],
    ['X.Other;cause=3', ['X.Other', 3, '', '']],
    ['SIP', ['SIP', -1, '', '']],
    ['', ['', -1, '', '']],
  ])('%s is read', (value, [protocol, cause, text, location]) => {
    expect(readReason(value)).toEqual({ protocol, cause, text, location })
  })

  test('any text is read without a throw', () => {
    const unit = fc.constantFrom(...'SIPQ.850;cause=12"text\\<> ')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        expect(readReason(text).cause).toBeGreaterThanOrEqual(-1)
      }),
      { numRuns: 2_000 },
    )
  })
})
