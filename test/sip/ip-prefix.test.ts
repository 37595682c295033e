import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  isNetwork,
  PrefixTable,
  prefixesOverlap,
  prefixText,
  readAddress,
  readPrefix,
} from '../../sip/ip-prefix.js'

describe('prefix', () => {
  test('an IPv4-mapped IPv6 address is the IPv4 address', () => {
    expect(readAddress('::ffff:192.0.2.10')).toEqual(readAddress('192.0.2.10'))
    expect(readAddress('::FFFF:c000:20a')).toEqual(readAddress('192.0.2.10'))
    expect(readPrefix('::ffff:192.0.2.0/120')).toEqual(readPrefix('192.0.2.0/24'))
  })

  test('a mapped prefix shorter than 96 bits covers IPv6 only', () => {
    expect(readPrefix('::ffff:0.0.0.0/80')).toMatchObject({ family: 6, bits: 80 })
  })

  test('an address without a length is a prefix of all its bits', () => {
    expect(readPrefix('192.0.2.10')).toMatchObject({ bits: 32 })
    expect(readPrefix('2001:db8::1')).toMatchObject({ bits: 128 })
  })

  test('texts that are no address give undefined', () => {
    for (const text of [
      '',
      '192.0.2',
      '192.0.2.256',
      '192.0.2.0/33',
      '192.0.2.0/',
      '2001:db8::/129',
      'sbc.example',
    ]) {
      expect(readPrefix(text), text).toBeUndefined()
    }
    expect(readAddress('')).toBeUndefined()
  })

  test('equal prefixes have one text', () => {
    expect(prefixText(readPrefix('192.0.2.77/24')!)).toBe('192.0.2.0/24')
    expect(prefixText(readPrefix('2001:db8:0:0::5/32')!)).toBe('2001:db8::/32')
    expect(prefixText(readPrefix('2001:db8:1:2:3:4:5:6')!)).toBe('2001:db8:1:2:3:4:5:6/128')
    expect(prefixText(readPrefix('::/0')!)).toBe('0::/0')
  })

  test('an address with bits behind the prefix is not a network', () => {
    expect(isNetwork('192.0.2.0/24')).toBe(true)
    expect(isNetwork('192.0.2.10')).toBe(true)
    expect(isNetwork('192.0.2.10/24')).toBe(false)
    expect(isNetwork('2001:db8::1/64')).toBe(false)
  })

  test('two prefixes overlap when one holds the other', () => {
    const overlap = (a: string, b: string) => prefixesOverlap(readPrefix(a)!, readPrefix(b)!)
    expect(overlap('10.0.0.0/8', '10.20.0.0/16')).toBe(true)
    expect(overlap('10.20.0.0/16', '10.0.0.0/8')).toBe(true)
    expect(overlap('10.20.0.0/16', '10.21.0.0/16')).toBe(false)
    expect(overlap('0.0.0.0/0', '::/0')).toBe(false)
  })

  test('a table agrees with the BlockList of Node on random prefixes and addresses', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff })
    const v4 = fc.tuple(word, fc.integer({ min: 0, max: 32 })).map(([w, bits]) => ({
      text: `${w >>> 24}.${(w >>> 16) & 255}.${(w >>> 8) & 255}.${w & 255}`,
      bits,
      family: 'ipv4' as const,
    }))
    const v6 = fc
      .tuple(
        fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 0, max: 128 }),
      )
      .map(([groups, bits]) => ({
        text: groups.map((group) => group.toString(16)).join(':'),
        bits,
        family: 'ipv6' as const,
      }))
    fc.assert(
      fc.property(fc.oneof(v4, v6), fc.oneof(v4, v6), (prefix, address) => {
        const list = new BlockList()
        list.addSubnet(prefix.text, prefix.bits, prefix.family)
        const table = new PrefixTable<string>()
        table.add(readPrefix(`${prefix.text}/${prefix.bits}`)!, 'here')
        const expected = prefix.family === address.family && list.check(address.text, address.family)
        expect(table.matches(readAddress(address.text)!).length > 0).toBe(expected)
        expect(table.matches(readAddress(prefix.text)!)).toEqual([{ bits: prefix.bits, values: ['here'] }])
      }),
      { numRuns: 2_000 },
    )
  })

  test('a table gives the longest prefix first', () => {
    const table = new PrefixTable<string>()
    for (const cidr of ['0.0.0.0/0', '10.20.0.0/16', '10.0.0.0/8', '10.20.30.40/32']) {
      table.add(readPrefix(cidr)!, cidr)
    }
    const found = table.matches(readAddress('10.20.30.40')!)
    expect(found.map(({ bits }) => bits)).toEqual([32, 16, 8, 0])
  })
})
