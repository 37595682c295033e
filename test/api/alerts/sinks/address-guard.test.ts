import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressKind, guardAddress } from '../../../../api/alerts/sinks/address-guard.js'

/** The special-purpose registries of IANA once more, judged by Node itself. */
const special = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  special.addSubnet(network, bits, 'ipv4')

const ipv4 = fc.oneof(
  fc.ipV4(),
  fc
    .tuple(
      fc.constantFrom(
        '10.',
        '100.64.',
        '100.127.',
        '100.128.',
        '127.',
        '169.254.',
        '172.15.',
        '172.16.',
        '172.31.',
        '172.32.',
        '192.0.0.',
        '192.168.',
        '198.17.',
        '198.19.',
        '224.',
        '255.',
      ),
      fc.ipV4(),
    )
    .map(([prefix, rest]) => {
      const have = prefix.split('.').length - 1
      return prefix + rest.split('.').slice(have).join('.')
    }),
)

const hexOf = (address: string) => {
  const [a, b, c, d] = address.split('.').map(Number)
  const group = (high: number, low: number) => ((high << 8) | low).toString(16)
  return `${group(a!, b!)}:${group(c!, d!)}`
}

describe('where a sink may stand', () => {
  test('every special IPv4 address is refused, and no other', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        expect(addressKind(address) === 'public').toBe(!special.check(address, 'ipv4'))
      }),
      { numRuns: 2_000 },
    )
  })

  test('an IPv4 address is not hidden in an IPv6 one', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const kind = addressKind(address)
        for (const mapped of [
          `::ffff:${address}`,
          `::ffff:${hexOf(address)}`,
          `0:0:0:0:0:ffff:${hexOf(address)}`,
        ])
          expect(addressKind(mapped)).toBe(kind === 'never' ? 'never' : 'private')
        expect(addressKind(`64:ff9b::${hexOf(address)}`)).toBe(kind)
        expect(addressKind(`2002:${hexOf(address)}::1`)).toBe(kind)
        expect(addressKind(`::${hexOf(address)}`)).not.toBe('public')
      }),
      { numRuns: 500 },
    )
  })

  test('of IPv6 only global unicast is public', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const host = new URL(`http://[${address}]/`).hostname.slice(1, -1)
        const first = host.startsWith(':') ? 0 : Number.parseInt(host.split(':')[0]!, 16)
        const isNat64 = host.startsWith('64:ff9b::')
        if (first >> 13 !== 1 && !isNat64) expect(addressKind(address)).not.toBe('public')
      }),
      { numRuns: 1_000 },
    )
  })

  test.each([
    ['::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['fd00:ec2::254', 'never'],
    ['fe80::1', 'never'],
    ['fe80::1%eth0', 'never'],
    ['::', 'never'],
    ['ff02::1', 'never'],
    ['2001:0:4136:e378::1', 'never'],
    ['2606:4700::1111', 'public'],
    ['169.254.169.254', 'never'],
    ['0.0.0.0', 'never'],
    ['1.1.1.1', 'public'],
    ['', 'never'],
    ['not an address', 'never'],
  ])('%s is %s', (address, kind) => expect(addressKind(address)).toBe(kind))

  test('a private address is for sinks that say so; the metadata of a cloud is for none', async () => {
    for (const host of ['127.0.0.1', '10.1.2.3', '[::1]', '[::ffff:10.0.0.1]', '100.64.0.1']) {
      expect(await guardAddress(host, false)).toHaveProperty('refused')
      expect(await guardAddress(host, true)).toHaveProperty('addresses')
    }
    expect(await guardAddress('169.254.169.254', true)).toHaveProperty('refused')
  })

  test('the spellings of an address that a URL allows are one address', async () => {
    for (const written of ['http://0x7f.1/', 'http://2130706433/', 'http://127.1/', 'http://0177.0.0.1/']) {
      const guarded = await guardAddress(new URL(written).hostname, false)
      expect(guarded).toEqual({
        refused: '127.0.0.1 is private; write allow_private: true for this sink if that is meant',
      })
    }
  })

  test('one private address spoils an answer with public ones', async () => {
    const resolve = async () => [
      { address: '1.1.1.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]
    expect(await guardAddress('hooks.example', false, resolve)).toHaveProperty('refused')
  })

  test('a name without an address is a reason, not an exception', async () => {
    const unknown = () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))
    expect(await guardAddress('hooks.example', false, unknown)).toEqual({
      refused: 'the name hooks.example is not resolved (ENOTFOUND)',
    })
    expect(await guardAddress('hooks.example', false, async () => [])).toHaveProperty('refused')
  })
})
