import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressBytes, ipv4Text, ipv6Text } from '../../sip/ip-address.js'

function canonical(text: string): string {
  const bytes = addressBytes(text)
  if (bytes === undefined) return ''
  return bytes.length === 4 ? ipv4Text(bytes, 0) : ipv6Text(bytes, 0)
}

describe('ip address', () => {
  test.each([
    ['2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // RFC 5952 §4.2.2: one group of zeros is not shortened.
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // §4.2.3: the longest run.
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // §4.2.3: the first of equal runs.
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::192.0.2.1', '::c000:201'],
    ['10.0.0.1', '10.0.0.1'],
  ])('%s is written %s', (text, expected) => {
    expect(canonical(text)).toBe(expected)
  })

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.a',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    '1:2:3',
    ':1',
  ])("'%s' is no address", (text) => {
    expect(addressBytes(text)).toBeUndefined()
  })

  test('every address is read back from its text, and the text is an address', () => {
    const property = fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.nat(255),
      (bytes, mask) => {
        const address = Buffer.from(bytes.map((byte, index) => ((mask >> (index >> 1)) & 1 ? byte : 0)))
        const text = ipv6Text(address, 0)
        expect(isIP(text)).toBe(6)
        expect(addressBytes(text)).toEqual(address)
      },
    )
    fc.assert(property, { numRuns: 500 })
  })

  test('the text cache gives the right text for addresses that share a slot', () => {
    for (let round = 0; round < 2; round++) {
      for (let host = 0; host < 10_000; host++) {
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32BE((host * 2_654_435_761) >>> 0)
        expect(ipv4Text(bytes, 0)).toBe([...bytes].join('.'))
      }
    }
  })
})
