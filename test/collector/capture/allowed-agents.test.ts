import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AllowedAgents } from '../../../collector/capture/allowed-agents.js'

describe('allowed agents', () => {
  test('without a network everybody may send', () => {
    expect(new AllowedAgents([]).has('198.51.100.9')).toBe(true)
    expect(new AllowedAgents([]).has('')).toBe(true)
  })

  test.each([
    ['192.0.2.7', true],
    ['192.0.2.0', true],
    ['192.0.3.0', false],
    ['198.51.100.9', true],
    ['198.51.100.10', false],
    ['::ffff:192.0.2.7', true],
    ['2001:db8::1', true],
    ['2001:db9::1', false],
    ['fe80::1%eth0', true],
    ['fe80::1', true],
    ['', false],
    ['nonsense', false],
  ])('%j: %s', (address, isAllowed) => {
    const allowed = new AllowedAgents(['192.0.2.0/24', '198.51.100.9', '2001:db8::/32', 'fe80::/10'])
    expect(allowed.has(address)).toBe(isAllowed)
    expect(allowed.has(address)).toBe(isAllowed)
  })

  test('a mapped network is the IPv4 network', () => {
    expect(new AllowedAgents(['::ffff:192.0.2.0/120']).has('192.0.2.9')).toBe(true)
  })

  test('more addresses than are remembered give the same verdicts', () => {
    const allowed = new AllowedAgents(['10.0.0.0/9'])
    for (let round = 0; round < 2; round++) {
      for (let number = 0; number < 10_000; number++) {
        const second = number & 255
        expect(allowed.has(`10.${second}.${number >> 8}.1`)).toBe(second < 128)
      }
    }
  })

  test('agrees with the block list of Node', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })), { minLength: 1, maxLength: 4 }),
      fc.array(fc.ipV4(), { minLength: 1, maxLength: 8 }),
      (networks, addresses) => {
        const allowed = new AllowedAgents(networks.map(([address, bits]) => `${address}/${bits}`))
        const list = new BlockList()
        for (const [address, bits] of networks) list.addSubnet(address, bits)
        for (const address of addresses) expect(allowed.has(address)).toBe(list.check(address))
      },
    )
    fc.assert(property, { numRuns: 2_000 })
  })
})
