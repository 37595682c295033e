import { describe, expect, test } from 'vitest'
import { attributeLeg, compileNetwork, type Ends } from '../../../collector/enrich/carrier.js'
import { configSchema } from '../../../schemas/config.js'

const DAL_SBC = '192.0.2.11'
const FRA_SBC = '192.0.2.21'
const ALPHA = '198.51.100.10'
const CONTACT_CENTRE = '10.20.3.4'
const STRANGER = '203.0.113.99'

const network = networkOf({
  sites: [
    { id: 'dal', sbc: [`${DAL_SBC}/32`, '2001:db8:da::/64'], agents: [2001] },
    { id: 'fra', sbc: [`${FRA_SBC}/32`], agents: [2002] },
  ],
  carriers: [
    { id: 'alpha', peers: [`${ALPHA}/32`, '2001:db8:a::/48'] },
    { id: 'bravo', peers: ['198.51.100.0/24'] },
  ],
  customers: [{ id: 'contact-centre', peers: ['10.20.0.0/16'] }],
})

function networkOf(config: object) {
  return compileNetwork(configSchema.parse(config))
}

function ends(source: string, destination: string, agentId = 2001): Ends {
  return {
    agentId,
    sourceAddress: source,
    sourcePort: 5060,
    destinationAddress: destination,
    destinationPort: 5060,
  }
}

describe('attribution', () => {
  test('an INVITE from our SBC to a carrier is outbound, and the carrier is the far side', () => {
    expect(attributeLeg(network, ends(DAL_SBC, ALPHA))).toEqual({
      party: 'carrier',
      carrier: 'alpha',
      customer: '',
      site: 'dal',
      direction: 'outbound',
      attributionRule: 'sbc_peer',
      sbcAddress: DAL_SBC,
      farAddress: ALPHA,
      farPort: 5060,
    })
  })

  test('an INVITE from a carrier to our SBC is inbound', () => {
    expect(attributeLeg(network, { ...ends(ALPHA, FRA_SBC), sourcePort: 40_000 })).toMatchObject({
      carrier: 'alpha',
      site: 'fra',
      direction: 'inbound',
      sbcAddress: FRA_SBC,
      farAddress: ALPHA,
      farPort: 40_000,
    })
  })

  test('the customer side of the SBC belongs to the customer and to no carrier', () => {
    expect(attributeLeg(network, ends(CONTACT_CENTRE, DAL_SBC))).toMatchObject({
      party: 'customer',
      carrier: '',
      customer: 'contact-centre',
      site: 'dal',
      direction: 'inbound',
      attributionRule: 'customer_peer',
    })
  })

  test('a leg between two SBCs of ours is internal, at the site that sent the INVITE', () => {
    expect(attributeLeg(network, ends(FRA_SBC, DAL_SBC))).toMatchObject({
      party: 'internal',
      carrier: '',
      customer: '',
      site: 'fra',
      direction: 'outbound',
      attributionRule: 'internal',
      sbcAddress: FRA_SBC,
      farAddress: DAL_SBC,
    })
  })

  test('a far side nobody named is unknown and never guessed; site and direction are known all the same', () => {
    expect(attributeLeg(network, ends(DAL_SBC, STRANGER))).toMatchObject({
      party: 'unknown',
      carrier: 'unknown',
      customer: '',
      site: 'dal',
      direction: 'outbound',
      attributionRule: 'none',
      farAddress: STRANGER,
    })
  })

  test('without a configuration everything is unknown, the destination shown as the far side', () => {
    expect(attributeLeg(networkOf({}), ends(DAL_SBC, ALPHA))).toEqual({
      party: 'unknown',
      carrier: 'unknown',
      customer: '',
      site: '',
      direction: 'unknown',
      attributionRule: 'none',
      sbcAddress: DAL_SBC,
      farAddress: ALPHA,
      farPort: 5060,
    })
  })

  test('the agent gives the site when no end is a listed SBC and no peer matches', () => {
    expect(attributeLeg(network, ends(STRANGER, '203.0.113.98', 2002))).toMatchObject({
      site: 'fra',
      direction: 'unknown',
      party: 'unknown',
    })
  })

  test('the SBC address gives the site even when an agent of another site saw the leg', () => {
    expect(attributeLeg(network, ends(DAL_SBC, ALPHA, 2002)).site).toBe('dal')
  })

  test('an address that the agent did not give leaves the other end to decide', () => {
    expect(attributeLeg(network, ends('', ALPHA))).toMatchObject({ carrier: 'alpha', direction: 'outbound' })
    expect(attributeLeg(network, ends('', DAL_SBC))).toMatchObject({
      carrier: 'unknown',
      direction: 'inbound',
      farAddress: '',
    })
    expect(attributeLeg(network, ends('', ''))).toMatchObject({ party: 'unknown', direction: 'unknown' })
  })
})

describe('attribution of an SBC that is not listed', () => {
  const OTHER_SBC = '192.0.2.99'

  test('the end that is a peer is the far side', () => {
    expect(attributeLeg(network, ends(OTHER_SBC, ALPHA))).toMatchObject({
      carrier: 'alpha',
      direction: 'outbound',
      site: 'dal',
      attributionRule: 'peer',
      sbcAddress: OTHER_SBC,
    })
    expect(attributeLeg(network, ends(ALPHA, OTHER_SBC, 7))).toMatchObject({
      carrier: 'alpha',
      direction: 'inbound',
      site: '',
      farAddress: ALPHA,
    })
  })

  test('between a customer and a carrier the carrier is the far side, whichever prefix is longer', () => {
    for (const [source, destination, direction] of [
      [CONTACT_CENTRE, ALPHA, 'outbound'],
      [ALPHA, CONTACT_CENTRE, 'inbound'],
    ] as const) {
      expect(attributeLeg(network, ends(source, destination))).toMatchObject({ carrier: 'alpha', direction })
    }
    const narrow = networkOf({
      carriers: [{ id: 'alpha', peers: ['198.51.0.0/16'] }],
      customers: [{ id: 'office', peers: ['10.20.3.4/32'] }],
    })
    expect(attributeLeg(narrow, ends(CONTACT_CENTRE, ALPHA)).carrier).toBe('alpha')
  })

  test('between two carriers the more specific peer is the far side', () => {
    expect(attributeLeg(network, ends(ALPHA, '198.51.100.77'))).toMatchObject({
      carrier: 'alpha',
      direction: 'inbound',
    })
    expect(attributeLeg(network, ends('198.51.100.77', ALPHA))).toMatchObject({
      carrier: 'alpha',
      direction: 'outbound',
    })
  })

  test('between two equally specific carriers the destination is the far side', () => {
    const equal = networkOf({
      carriers: [
        { id: 'one', peers: ['198.51.100.1/32'] },
        { id: 'two', peers: ['198.51.100.2/32'] },
      ],
    })
    expect(attributeLeg(equal, ends('198.51.100.1', '198.51.100.2')).carrier).toBe('two')
    expect(attributeLeg(equal, ends('198.51.100.2', '198.51.100.1')).carrier).toBe('one')
  })
})

describe('peers', () => {
  const sites = [
    { id: 'dal', sbc: [`${DAL_SBC}/32`] },
    { id: 'fra', sbc: [`${FRA_SBC}/32`] },
  ]
  const carrierOf = (peers: Record<string, unknown[]>, invite: Ends) =>
    attributeLeg(
      networkOf({ sites, carriers: Object.entries(peers).map(([id, list]) => ({ id, peers: list })) }),
      invite,
    ).carrier

  test('the longest prefix wins, wherever it stands in the file', () => {
    expect(attributeLeg(network, ends(DAL_SBC, ALPHA)).carrier).toBe('alpha')
    expect(attributeLeg(network, ends(DAL_SBC, '198.51.100.11')).carrier).toBe('bravo')
    const peers = { wide: ['0.0.0.0/0'], narrow: ['198.51.0.0/16'], narrowest: ['198.51.100.0/25'] }
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('narrowest')
    expect(carrierOf(peers, ends(DAL_SBC, '198.51.100.200'))).toBe('narrow')
    expect(carrierOf(peers, ends(DAL_SBC, STRANGER))).toBe('wide')
  })

  test('a peer with the port of the far side beats one without a port, and another port does not match', () => {
    const peers = { plain: [`${ALPHA}/32`], secure: [{ cidr: `${ALPHA}/32`, port: 5061 }] }
    expect(carrierOf(peers, { ...ends(DAL_SBC, ALPHA), destinationPort: 5061 })).toBe('secure')
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('plain')
    expect(carrierOf({ secure: peers.secure }, ends(DAL_SBC, ALPHA))).toBe('unknown')
  })

  test('a longer prefix without a port beats a shorter one with the port', () => {
    const peers = { network: [{ cidr: '198.51.100.0/24', port: 5060 }], host: [`${ALPHA}/32`] }
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('host')
  })

  test('a peer for one site matches at that site only', () => {
    const peers = {
      dallas: [{ cidr: `${ALPHA}/32`, site: 'dal' }],
      frankfurt: [{ cidr: `${ALPHA}/32`, site: 'fra' }],
    }
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('dallas')
    expect(carrierOf(peers, ends(FRA_SBC, ALPHA))).toBe('frankfurt')
    expect(carrierOf(peers, ends('192.0.2.99', ALPHA, 9))).toBe('unknown')
  })

  test('a peer for one direction matches in that direction only', () => {
    const peers = {
      sells: [{ cidr: `${ALPHA}/32`, direction: 'outbound' }],
      buys: [{ cidr: `${ALPHA}/32`, direction: 'inbound' }],
    }
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('sells')
    expect(carrierOf(peers, ends(ALPHA, DAL_SBC))).toBe('buys')
  })

  test('a peer with more conditions beats one with fewer, and a restricted longer prefix falls back to a shorter', () => {
    const peers = {
      everywhere: [`${ALPHA}/32`],
      dallas: [{ cidr: `${ALPHA}/32`, site: 'dal' }],
      range: ['198.51.100.0/24'],
    }
    expect(carrierOf(peers, ends(DAL_SBC, ALPHA))).toBe('dallas')
    expect(carrierOf(peers, ends(FRA_SBC, ALPHA))).toBe('everywhere')
    expect(carrierOf({ dallas: peers.dallas, range: peers.range }, ends(FRA_SBC, ALPHA))).toBe('range')
  })

  test('a carrier beats a customer of equal specificity', () => {
    const both = networkOf({
      sites,
      customers: [{ id: 'office', peers: [`${ALPHA}/32`] }],
      carriers: [{ id: 'alpha', peers: [`${ALPHA}/32`] }],
    })
    expect(attributeLeg(both, ends(DAL_SBC, ALPHA)).carrier).toBe('alpha')
  })

  test('a peer inside the range of an SBC is a peer when its prefix is longer', () => {
    const peers = { colocated: ['192.0.2.77/32'] }
    const wide = networkOf({
      sites: [{ id: 'dal', sbc: ['192.0.2.0/24'] }],
      carriers: [{ id: 'colocated', peers: peers.colocated }],
    })
    expect(attributeLeg(wide, ends(DAL_SBC, '192.0.2.77'))).toMatchObject({
      carrier: 'colocated',
      direction: 'outbound',
    })
    expect(attributeLeg(wide, ends(DAL_SBC, '192.0.2.78')).party).toBe('internal')
  })

  test('an SBC and a carrier on one address are told apart by the port of the peer', () => {
    const lab = networkOf({
      sites: [{ id: 'lab', sbc: ['127.0.0.1/32'] }],
      carriers: [{ id: 'sipp', peers: [{ cidr: '127.0.0.1/32', port: 5080 }] }],
    })
    const invite = { ...ends('127.0.0.1', '127.0.0.1'), destinationPort: 5080 }
    expect(attributeLeg(lab, invite)).toMatchObject({ carrier: 'sipp', direction: 'outbound', farPort: 5080 })
    const back = { ...ends('127.0.0.1', '127.0.0.1'), sourcePort: 5080 }
    expect(attributeLeg(lab, back)).toMatchObject({ carrier: 'sipp', direction: 'inbound', farPort: 5080 })
    expect(attributeLeg(lab, ends('127.0.0.1', '127.0.0.1')).party).toBe('internal')
  })

  test('IPv6 peers match by prefix, and an IPv4-mapped address is the IPv4 address', () => {
    expect(attributeLeg(network, ends('2001:db8:da::1', '2001:db8:a:5::9'))).toMatchObject({
      carrier: 'alpha',
      site: 'dal',
    })
    expect(attributeLeg(network, ends(`::ffff:${DAL_SBC}`, `::ffff:${ALPHA}`))).toMatchObject({
      carrier: 'alpha',
      site: 'dal',
      farAddress: `::ffff:${ALPHA}`,
    })
  })
})

describe('attribution of many attempts', () => {
  test('the answer of the same ends is remembered, and only so many are', () => {
    const small = networkOf({ sites: [{ id: 'dal', sbc: [`${DAL_SBC}/32`] }] })
    const first = attributeLeg(small, ends(DAL_SBC, ALPHA))
    expect(attributeLeg(small, ends(DAL_SBC, ALPHA))).toBe(first)
    for (let port = 0; port < 40_000; port++) {
      attributeLeg(small, { ...ends(STRANGER, DAL_SBC), sourcePort: port })
    }
    expect(small.remembered.size).toBeLessThanOrEqual(16_384)
    expect(attributeLeg(small, ends(DAL_SBC, ALPHA))).toEqual(first)
  })
})

describe('attribution by trunk group (RFC 4904)', () => {
  const grouped = networkOf({
    sites: [{ id: 'dal', sbc: [`${DAL_SBC}/32`], agents: [2001] }],
    carriers: [
      { id: 'alpha', peers: [`${ALPHA}/32`] },
      {
        id: 'delta',
        peers: ['198.51.100.40/32'],
        trunk_groups: [
          { tgrp: 'TG-1', context: '+1-630' },
          { tgrp: 'tg2', context: 'sbc.example.com' },
        ],
      },
    ],
  })
  const URI = 'sip:+16305550100;tgrp=TG-1;trunk-context=+1-630@isp.example.net;user=phone'
  const out = (requestUri: string) => ({ ...ends(DAL_SBC, STRANGER), requestUri })
  const into = (contact: string, requestUri = '') => ({ ...ends(STRANGER, DAL_SBC), contact, requestUri })

  test('vector N: the terminating group of what we send stands in the Request-URI', () => {
    expect(attributeLeg(grouped, out(URI))).toMatchObject({
      party: 'carrier',
      carrier: 'delta',
      site: 'dal',
      direction: 'outbound',
      attributionRule: 'trunk_group',
      farAddress: STRANGER,
    })
  })

  test('the originating group of what we are sent stands in Contact, and that of the Request-URI is not asked', () => {
    expect(attributeLeg(grouped, into(`"A" <${URI}>;expires=60`))).toMatchObject({
      carrier: 'delta',
      direction: 'inbound',
      attributionRule: 'trunk_group',
    })
    expect(attributeLeg(grouped, into('<sip:gw@203.0.113.99>', URI))).toMatchObject({ party: 'unknown' })
    expect(attributeLeg(grouped, { ...out('sip:1@x'), contact: `<${URI}>` })).toMatchObject({
      party: 'unknown',
    })
  })

  test.each([
    ['without trunk-context', 'sip:+16305550100;tgrp=TG-1@isp.example.net'],
    ['without tgrp', 'sip:+16305550100;trunk-context=+1-630@isp.example.net'],
    ['behind the host', 'sip:+16305550100@isp.example.net;tgrp=TG-1;trunk-context=+1-630'],
    ['in a context that is not ours', 'sip:+1;tgrp=TG-1;trunk-context=+1-631@isp.example.net'],
    ['of nobody', 'sip:+1;tgrp=TG-9;trunk-context=+1-630@isp.example.net'],
    ['in a text that is no URI', 'tgrp tgrp;;;trunk-context'],
    ['with nothing', ''],
  ])('a group %s says nothing', (_, uri) => {
    expect(attributeLeg(grouped, out(uri))).toMatchObject({ carrier: 'unknown', attributionRule: 'none' })
  })

  test('case and separators do not tell groups apart', () => {
    for (const uri of [
      'sip:+1;TGRP=tg-1;Trunk-Context=+1(630)@x',
      'tel:+16305550100;tgrp=TG-1;trunk-context=+1630',
      'sip:+1;tgrp=TG2;trunk-context=SBC.Example.COM@x',
    ]) {
      expect(attributeLeg(grouped, out(uri)).carrier).toBe('delta')
    }
  })

  test('a peer comes first, and where no end is ours the group is nobody’s word', () => {
    expect(attributeLeg(grouped, { ...ends(DAL_SBC, ALPHA), requestUri: URI })).toMatchObject({
      carrier: 'alpha',
      attributionRule: 'sbc_peer',
    })
    expect(
      attributeLeg(grouped, { ...ends(STRANGER, '203.0.113.98'), requestUri: URI, contact: URI }),
    ).toMatchObject({
      party: 'unknown',
      direction: 'unknown',
    })
  })

  test('two calls between the same ends go by their own groups, whichever came first', () => {
    const other = out('sip:+1@x')
    expect(attributeLeg(grouped, other).carrier).toBe('unknown')
    expect(attributeLeg(grouped, out(URI)).carrier).toBe('delta')
    expect(attributeLeg(grouped, other).carrier).toBe('unknown')
  })
})
