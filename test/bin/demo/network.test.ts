import { BlockList } from 'node:net'
import { describe, expect, it } from 'vitest'
import { DEMO_CARRIERS, DEMO_CONFIG, DEMO_CUSTOMERS, DEMO_SITES } from '../../../bin/demo/network.js'
import { configSchema } from '../../../schemas/config.js'
import { isDocumentationAddress } from './documentation-ranges.js'

const config = configSchema.parse(DEMO_CONFIG)
type Peer = (typeof config.carriers)[number]['peers'][number]

function holds(peer: Peer, address: string): boolean {
  const [network, bits] = (typeof peer === 'string' ? peer : peer.cidr).split('/')
  const family = network!.includes(':') ? 'ipv6' : 'ipv4'
  if (family !== (address.includes(':') ? 'ipv6' : 'ipv4')) return false
  const list = new BlockList()
  list.addSubnet(network!, Number(bits), family)
  return list.check(address, family)
}

describe('demo network', () => {
  it('is a configuration that Trunkscope accepts: six carriers, four sites, customers', () => {
    expect(config.carriers).toHaveLength(6)
    expect(config.sites.map((site) => site.id)).toEqual(['dal', 'iad', 'fra', 'sin'])
    expect(config.sites.map((site) => site.agents)).toEqual([[2001], [2002], [2003], [2004]])
    expect(config.customers).toHaveLength(2)
  })

  it('lists every trunk under its carrier and no other, in the direction it is used', () => {
    for (const carrier of DEMO_CARRIERS) {
      for (const trunk of carrier.trunks) {
        const owners = [...config.carriers, ...config.customers].filter((party) =>
          party.peers.some((peer) => holds(peer, trunk.farAddress)),
        )
        expect(owners.map((owner) => owner.id)).toEqual([carrier.id])
        const peer = owners[0]!.peers.find((each) => holds(each, trunk.farAddress))!
        if (typeof peer !== 'string') expect(trunk.directions).toEqual([peer.direction])
        const site = config.sites.find((each) => each.id === trunk.site.id)!
        expect(site.sbc.some((sbc) => holds(sbc, trunk.sbcAddress))).toBe(true)
      }
    }
  })

  it('lists every customer line under its customer', () => {
    for (const customer of DEMO_CUSTOMERS) {
      for (const line of customer.lines.values()) {
        const owners = [...config.carriers, ...config.customers].filter((party) =>
          party.peers.some((peer) => holds(peer, line.farAddress)),
        )
        expect(owners.map((owner) => owner.id)).toEqual([customer.id])
      }
    }
  })

  it('uses documentation addresses only, one trunk over IPv6 and one over TCP among them', () => {
    const trunks = DEMO_CARRIERS.flatMap((carrier) => carrier.trunks)
    const lines = [...trunks, ...DEMO_CUSTOMERS.flatMap((customer) => [...customer.lines.values()])]
    for (const { sbcAddress, farAddress, farMediaAddress, sbcMediaAddress } of lines) {
      for (const address of [sbcAddress, farAddress, farMediaAddress, sbcMediaAddress]) {
        expect(isDocumentationAddress(address), address).toBe(true)
      }
    }
    expect(trunks.some((trunk) => trunk.farAddress.includes(':'))).toBe(true)
    expect(trunks.some((trunk) => trunk.toFar.ipProtocol === 6)).toBe(true)
    expect(DEMO_SITES.filter((site) => site.mirrorsCustomers)).toHaveLength(1)
  })
})
