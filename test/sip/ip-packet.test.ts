import { describe, expect, test } from 'vitest'
import { ipPacketOf } from '../../sip/ip-packet.js'
import { ip, LINKS, ROUTE, ROUTE6 } from '../support/packets.js'

const payload = Buffer.from('what is carried')

describe('ip packet', () => {
  test.each(Object.keys(LINKS))('is found behind the link header: %s, IPv4 and IPv6', (name) => {
    const [linkType, link] = LINKS[name]!
    for (const route of [ROUTE, ROUTE6]) {
      expect(ipPacketOf(linkType, link(ip(route, 17, payload)))).toEqual({
        sourceAddress: route.source,
        destinationAddress: route.destination,
        protocol: 17,
        payload,
        isCut: false,
        fragment: undefined,
      })
    }
  })

  test('fragments tell their place', () => {
    for (const route of [ROUTE, ROUTE6]) {
      const place = { id: 513, offset: 1_480, hasMore: true }
      expect(ipPacketOf(101, ip(route, 17, payload, place))).toMatchObject({
        protocol: 17,
        payload,
        fragment: place,
      })
    }
  })

  test('an IPv6 fragment that is alone is a whole packet (RFC 6946)', () => {
    const alone = ip(ROUTE6, 17, payload, { id: 1, offset: 0, hasMore: false })
    expect(ipPacketOf(101, alone)).toMatchObject({ payload, fragment: undefined })
  })

  test('a length of 0 is a segment that the network card was to cut', () => {
    for (const [route, at] of [
      [ROUTE, 2],
      [ROUTE6, 4],
    ] as const) {
      const packet = ip(route, 6, payload)
      packet.writeUInt16BE(0, at)
      expect(ipPacketOf(101, packet)).toMatchObject({ payload, isCut: false })
    }
  })

  test('what cannot be read gives its reason', () => {
    const [, ethernet] = LINKS.ethernet!
    const arp = ethernet(ip(ROUTE, 17, payload))
    arp.writeUInt16BE(0x0806, 12)
    expect(ipPacketOf(1, arp)).toEqual({ reason: 'not_ip' })
    expect(ipPacketOf(147, payload)).toEqual({ reason: 'link_type_unknown' })
    expect(ipPacketOf(1, Buffer.alloc(13))).toEqual({ reason: 'link_cut' })
    expect(ipPacketOf(276, Buffer.alloc(19))).toEqual({ reason: 'link_cut' })
    expect(ipPacketOf(101, Buffer.from([0x4f, 0, 0]))).toEqual({ reason: 'ip_damaged' })
    expect(ipPacketOf(101, ip(ROUTE6, 17, payload).subarray(0, 45))).toEqual({ reason: 'ip_damaged' })
    const endless = Buffer.alloc(40 + 8 * 20)
    endless[0] = 0x60
    endless.writeUInt16BE(8 * 20, 4)
    expect(ipPacketOf(101, endless)).toEqual({ reason: 'ip_damaged' })
  })
})
