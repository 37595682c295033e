/**
 * The demo's network: who is connected to whom, where, and from which addresses.
 *
 * Four sites with one SBC and one capture agent each, six carriers, two customers. All names are invented, all
 * addresses are of the documentation ranges, and host names end in `.example` (RFC 5737, RFC 3849, RFC 2606).
 * How carriers behave stands in `behaviour.ts`.
 */
import type { z } from 'zod'
import type { configSchema } from '../../schemas/config.js'
import type { Region } from './numbers.js'

export type ConfigInput = z.input<typeof configSchema>

/** One direction of one connection, as an agent sees it. Shared by all messages that take it. */
export interface Route {
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
  /** IP protocol: 17 UDP, 6 TCP. */
  ipProtocol: number
  agentId: number
  agentName: string
}

export interface DemoSite {
  id: string
  name: string
  sbcAddress: string
  sbcAddressIpv6: string
  mediaAddress: string
  mediaAddressIpv6: string
  agentId: number
  agentName: string
  /** Region of our own numbers at this site. */
  region: Region
  /** The agent also mirrors the customers' side of the SBC. */
  mirrorsCustomers: boolean
}

/** The other end of a leg, and both routes of it. */
export interface Connection {
  site: DemoSite
  sbcAddress: string
  farAddress: string
  farPort: number
  /** Where the two ends want their media. */
  sbcMediaAddress: string
  farMediaAddress: string
  /** The far side's proxy stays in the dialog (Record-Route). */
  recordRoute: boolean
  toFar: Route
  fromFar: Route
}

export interface DemoTrunk extends Connection {
  carrierId: string
  /** Share of the carrier's calls. */
  weight: number
  directions: readonly ('inbound' | 'outbound')[]
}

export interface DemoCarrier {
  id: string
  name: string
  /** Where its subscribers are. */
  regions: readonly Region[]
  trunks: readonly DemoTrunk[]
}

export interface DemoCustomer {
  id: string
  name: string
  lines: ReadonlyMap<DemoSite, Connection>
}

const site = (
  id: string,
  name: string,
  net: number,
  agentId: number,
  region: Region,
  mirrorsCustomers = false,
): DemoSite => ({
  id,
  name,
  sbcAddress: `192.0.2.${net}`,
  sbcAddressIpv6: `2001:db8:${net}::11`,
  mediaAddress: `192.0.2.${net + 1}`,
  mediaAddressIpv6: `2001:db8:${net}::12`,
  agentId,
  agentName: `${id}-sbc1`,
  region,
  mirrorsCustomers,
})

const DAL = site('dal', 'Dallas', 11, 2001, 'us')
const IAD = site('iad', 'Ashburn', 21, 2002, 'us')
const FRA = site('fra', 'Frankfurt', 31, 2003, 'de', true)
const SIN = site('sin', 'Singapore', 41, 2004, 'au')

export const DEMO_SITES: readonly DemoSite[] = [DAL, IAD, FRA, SIN]

type FarEnd = { address: string; port?: number; tcp?: boolean; media?: string; recordRoute?: boolean }

function connect(at: DemoSite, far: FarEnd): Connection {
  const isIpv6 = far.address.includes(':')
  const sbcAddress = isIpv6 ? at.sbcAddressIpv6 : at.sbcAddress
  const farPort = far.port ?? 5060
  const common = { ipProtocol: far.tcp ? 6 : 17, agentId: at.agentId, agentName: at.agentName }
  const ours = { address: sbcAddress, port: 5060 }
  const theirs = { address: far.address, port: farPort }
  const route = (from: typeof ours, to: typeof ours): Route => ({
    sourceAddress: from.address,
    sourcePort: from.port,
    destinationAddress: to.address,
    destinationPort: to.port,
    ...common,
  })
  return {
    site: at,
    sbcAddress,
    farAddress: far.address,
    farPort,
    sbcMediaAddress: isIpv6 ? at.mediaAddressIpv6 : at.mediaAddress,
    farMediaAddress: far.media ?? far.address,
    recordRoute: far.recordRoute ?? false,
    toFar: route(ours, theirs),
    fromFar: route(theirs, ours),
  }
}

const BOTH = ['inbound', 'outbound'] as const

type TrunkRow = [DemoSite, weight: number, FarEnd, directions?: DemoTrunk['directions']]

function carrier(id: string, name: string, regions: Region[], rows: TrunkRow[]): DemoCarrier {
  const trunks = rows.map(([at, weight, far, directions = BOTH]) => ({
    ...connect(at, far),
    carrierId: id,
    weight,
    directions,
  }))
  return { id, name, regions, trunks }
}

export const DEMO_CARRIERS: readonly DemoCarrier[] = [
  carrier(
    'aldermoor',
    'Aldermoor Voice',
    ['us'],
    [
      [DAL, 4, { address: '198.51.100.17', media: '198.51.100.24' }],
      [DAL, 2, { address: '198.51.100.18', media: '198.51.100.24' }],
      [IAD, 4, { address: '198.51.100.19', media: '198.51.100.25' }],
    ],
  ),
  carrier(
    'brightmesa',
    'Brightmesa Telecom',
    ['us'],
    [
      [DAL, 3, { address: '198.51.100.33', port: 5080, media: '198.51.100.40' }],
      [IAD, 4, { address: '198.51.100.34', port: 5080, media: '198.51.100.41' }],
      [IAD, 3, { address: '198.51.100.35', port: 5080, media: '198.51.100.41' }],
    ],
  ),
  carrier(
    'calderwick',
    'Calderwick Networks',
    ['uk', 'fr'],
    [
      [FRA, 4, { address: '198.51.100.65', media: '198.51.100.72', recordRoute: true }, ['outbound']],
      [FRA, 4, { address: '198.51.100.81', media: '198.51.100.88', recordRoute: true }, ['inbound']],
      [IAD, 2, { address: '198.51.100.66', media: '198.51.100.73', recordRoute: true }, ['outbound']],
      [IAD, 2, { address: '198.51.100.82', media: '198.51.100.89', recordRoute: true }, ['inbound']],
    ],
  ),
  carrier(
    'dunmarrow',
    'Dunmarrow Carrier Services',
    ['us'],
    [
      [DAL, 4, { address: '198.51.100.97', media: '198.51.100.104' }],
      [IAD, 4, { address: '198.51.100.98', media: '198.51.100.105' }],
      [FRA, 2, { address: '198.51.100.99', media: '198.51.100.106' }],
    ],
  ),
  carrier(
    'eastlattice',
    'Eastlattice Pacific',
    ['au'],
    [
      [SIN, 8, { address: '203.0.113.17', tcp: true, media: '203.0.113.24' }],
      [DAL, 2, { address: '203.0.113.18', tcp: true, media: '203.0.113.25' }],
    ],
  ),
  carrier(
    'fenholt',
    'Fenholt Interconnect',
    ['de', 'fr'],
    [
      [FRA, 7, { address: '2001:db8:fe::10', media: '2001:db8:fe::80' }],
      [SIN, 3, { address: '2001:db8:fe:1::10', media: '2001:db8:fe:1::80' }],
    ],
  ),
]

function customer(id: string, name: string, firstAddress: number): DemoCustomer {
  const lines = DEMO_SITES.map(
    (at, index) => [at, connect(at, { address: `203.0.113.${firstAddress + index}` })] as const,
  )
  return { id, name, lines: new Map(lines) }
}

export const DEMO_CUSTOMERS: readonly DemoCustomer[] = [
  customer('contact-centre', 'Contact centre', 130),
  customer('field-service', 'Field service', 194),
]

/** The same network as `trunkscope.yaml` says it. */
export const DEMO_CONFIG: ConfigInput = {
  sites: DEMO_SITES.map((at) => ({
    id: at.id,
    name: at.name,
    sbc: [`${at.sbcAddress}/32`, `${at.sbcAddressIpv6}/128`],
    agents: [at.agentId],
  })),
  carriers: [
    { id: 'aldermoor', name: 'Aldermoor Voice', peers: ['198.51.100.16/28'] },
    { id: 'brightmesa', name: 'Brightmesa Telecom', peers: ['198.51.100.32/28'] },
    {
      id: 'calderwick',
      name: 'Calderwick Networks',
      peers: [
        { cidr: '198.51.100.64/28', direction: 'outbound' },
        { cidr: '198.51.100.80/28', direction: 'inbound' },
      ],
    },
    { id: 'dunmarrow', name: 'Dunmarrow Carrier Services', peers: ['198.51.100.96/28'] },
    { id: 'eastlattice', name: 'Eastlattice Pacific', peers: ['203.0.113.16/28'] },
    { id: 'fenholt', name: 'Fenholt Interconnect', peers: ['2001:db8:fe::/48'] },
  ],
  customers: [
    { id: 'contact-centre', name: 'Contact centre', peers: ['203.0.113.128/26'] },
    { id: 'field-service', name: 'Field service', peers: ['203.0.113.192/27'] },
  ],
  // The demo's calls fail often, so that there is something to see: 94 % is what all carriers but one keep.
  slos: [{ id: 'carrier-availability', objective: 0.94, each: 'carrier' }],
}
