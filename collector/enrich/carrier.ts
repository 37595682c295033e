/**
 * Whose leg it is: carrier, customer, internal or unknown; its site and its direction.
 *
 * Takes    the network of `trunkscope.yaml`, compiled once, and the two ends of an INVITE as the agent saw them.
 * Returns  the attributes of the leg. They are no part of its key: a reload of the configuration changes them and
 *          neither splits nor merges attempts (design.md §4).
 * Throws   nothing; a network that `configSchema` accepted always compiles.
 * Source   metrics.md §10, rule 2 (peer address and port), then rule 3 (trunk group); unmatched is `unknown` and never guessed.
 *
 * How the sides are told apart
 *   1. An address is ours when an `sbc` prefix holds it and no peer fits it better; a peer fits better with a longer
 *      prefix, or with the same prefix and the port of this end (an SBC and a carrier on one lab machine).
 *   2. Both ends ours: internal. One end ours: the other is the far side.
 *   3. No end ours (an SBC that is not listed): the end that a peer matches is the far side. If both match, the carrier's
 *      end is: a customer is on our side of a carrier. Between two of a kind the more specific one is, then the
 *      destination, which is the one that was asked to complete the call.
 *   4. No end ours and no peer: unknown, and so is the direction; source and destination stand in for display only.
 *
 * Which peer matches an end: its prefix holds the address, and its port, site and direction, where given, are those of
 * the leg. The best is the one with the longest prefix, then with a port, then with more conditions (site, direction),
 * then a carrier before a customer, then the first of the file. A peer for a site never matches while the site is unknown.
 *
 * A leg with one end of ours whose far side no peer matches goes by its trunk group (RFC 4904): the terminating group stands in
 * the Request-URI of what we send, the originating one in the Contact of what we are sent. Both parameters have to be those of a
 * carrier in the configuration, which is how a context is said to be ours. Nothing of it is read while no group is configured.
 *
 * The site is that of the SBC address, else that of the agent. The direction is outbound when our side sent the INVITE.
 */
import type { Direction, TrunkscopeConfig } from '../../schemas/config.js'
import type { Ends, LegAttributes } from '../../schemas/leg-attributes.js'
import { type Address, PrefixTable, readAddress, readPrefix } from '../../sip/ip-prefix.js'
import { readNameAddr, readUri, trunkGroupKey, trunkGroupOf } from '../../sip/uri.js'

export type { Ends, LegAttributes }

interface Peer {
  party: 'carrier' | 'customer'
  id: string
  port: number | undefined
  site: string | undefined
  direction: Direction | undefined
  /** Place in the file: the last word in a draw. */
  order: number
}

interface PeerMatch {
  peer: Peer
  bits: number
}

/** What `compileNetwork` makes of a configuration. Holds the answers of the ends seen lately. */
export interface Network {
  readonly sbcs: PrefixTable<string>
  readonly peers: PrefixTable<Peer>
  readonly siteOfAgent: ReadonlyMap<number, string>
  /** Carriers by `trunkGroupKey`. */
  readonly trunkGroups: ReadonlyMap<string, string>
  readonly remembered: Map<string, Readonly<LegAttributes>>
}

/** Callers behind NAT come from ever new ports: the oldest answers go, so that memory is bounded. */
const REMEMBERED_MAX = 16_384

export function compileNetwork(config: Pick<TrunkscopeConfig, 'sites' | 'carriers' | 'customers'>): Network {
  const sbcs = new PrefixTable<string>()
  const siteOfAgent = new Map<number, string>()
  for (const site of config.sites) {
    for (const cidr of site.sbc) {
      const prefix = readPrefix(cidr)
      if (prefix !== undefined) sbcs.add(prefix, site.id)
    }
    for (const agent of site.agents) siteOfAgent.set(agent, site.id)
  }
  const peers = new PrefixTable<Peer>()
  let order = 0
  const owners = [
    ...config.carriers.map((carrier) => ({ party: 'carrier' as const, ...carrier })),
    ...config.customers.map((customer) => ({ party: 'customer' as const, ...customer })),
  ]
  for (const owner of owners) {
    for (const entry of owner.peers) {
      const { cidr, port, site, direction } =
        typeof entry === 'string'
          ? { cidr: entry, port: undefined, site: undefined, direction: undefined }
          : entry
      const prefix = readPrefix(cidr)
      if (prefix === undefined) continue
      peers.add(prefix, { party: owner.party, id: owner.id, port, site, direction, order })
      order++
    }
  }
  const trunkGroups = new Map(
    config.carriers.flatMap(({ id, trunk_groups = [] }) =>
      trunk_groups.map(({ tgrp, context }) => [trunkGroupKey({ group: tgrp, context }), id] as const),
    ),
  )
  return { sbcs, peers, siteOfAgent, trunkGroups, remembered: new Map() }
}

export function attributeLeg(network: Network, invite: Ends): Readonly<LegAttributes> {
  const attributes = attributesOfEnds(network, invite)
  return attributes.party === 'unknown' && network.trunkGroups.size > 0
    ? ofTrunkGroup(network, invite, attributes)
    : attributes
}

/** Of a leg whose far side no peer matches. */
function ofTrunkGroup(
  network: Network,
  { requestUri = '', contact = '' }: Ends,
  attributes: Readonly<LegAttributes>,
): Readonly<LegAttributes> {
  const { direction } = attributes
  if (direction === 'unknown') return attributes // No end is ours: whose word it is nobody knows.
  const uri = direction === 'outbound' ? requestUri : readNameAddr(contact).uri
  // Nearly no URI names one.
  if (!/tgrp/i.test(uri)) return attributes
  const found = trunkGroupOf(readUri(uri))
  const carrier = found === undefined ? undefined : network.trunkGroups.get(trunkGroupKey(found))
  if (carrier === undefined) return attributes
  return { ...attributes, party: 'carrier', carrier, attributionRule: 'trunk_group' }
}

function attributesOfEnds(network: Network, invite: Ends): Readonly<LegAttributes> {
  const { agentId, sourceAddress, sourcePort, destinationAddress, destinationPort } = invite
  const key = `${agentId} ${sourceAddress} ${sourcePort} ${destinationAddress} ${destinationPort}`
  const known = network.remembered.get(key)
  if (known !== undefined) return known
  const attributes = Object.freeze(attribute(network, invite))
  if (network.remembered.size >= REMEMBERED_MAX) {
    network.remembered.delete(network.remembered.keys().next().value as string)
  }
  network.remembered.set(key, attributes)
  return attributes
}

function attribute(network: Network, invite: Ends): LegAttributes {
  const agentSite = network.siteOfAgent.get(invite.agentId) ?? ''
  const source = readAddress(invite.sourceAddress)
  const destination = readAddress(invite.destinationAddress)
  const sourceSite = siteOfSbc(network, source, invite.sourcePort)
  const destinationSite = siteOfSbc(network, destination, invite.destinationPort)
  const far = (end: 'source' | 'destination') =>
    end === 'source'
      ? {
          sbcAddress: invite.destinationAddress,
          farAddress: invite.sourceAddress,
          farPort: invite.sourcePort,
        }
      : {
          sbcAddress: invite.sourceAddress,
          farAddress: invite.destinationAddress,
          farPort: invite.destinationPort,
        }

  if (sourceSite !== undefined && destinationSite !== undefined) {
    return {
      party: 'internal',
      carrier: '',
      customer: '',
      // Between two sites: the one that sent the INVITE, whoever saw it.
      site: sourceSite,
      direction: 'outbound',
      attributionRule: 'internal',
      ...far('destination'),
    }
  }

  if (sourceSite !== undefined) {
    const match = bestPeer(network, destination, invite.destinationPort, sourceSite, 'outbound')
    return { ...owned(match, 'sbc_peer'), site: sourceSite, direction: 'outbound', ...far('destination') }
  }
  if (destinationSite !== undefined) {
    const match = bestPeer(network, source, invite.sourcePort, destinationSite, 'inbound')
    return { ...owned(match, 'sbc_peer'), site: destinationSite, direction: 'inbound', ...far('source') }
  }

  const caller = bestPeer(network, source, invite.sourcePort, agentSite, 'inbound')
  const callee = bestPeer(network, destination, invite.destinationPort, agentSite, 'outbound')
  if (caller === undefined && callee === undefined) {
    return { ...owned(undefined, 'peer'), site: agentSite, direction: 'unknown', ...far('destination') }
  }
  return farOfTwo(caller, callee) === 'destination'
    ? { ...owned(callee, 'peer'), site: agentSite, direction: 'outbound', ...far('destination') }
    : { ...owned(caller, 'peer'), site: agentSite, direction: 'inbound', ...far('source') }
}

function owned(
  match: PeerMatch | undefined,
  carrierRule: 'sbc_peer' | 'peer',
): Pick<LegAttributes, 'party' | 'carrier' | 'customer' | 'attributionRule'> {
  if (match === undefined) {
    return { party: 'unknown', carrier: 'unknown', customer: '', attributionRule: 'none' }
  }
  return match.peer.party === 'carrier'
    ? { party: 'carrier', carrier: match.peer.id, customer: '', attributionRule: carrierRule }
    : { party: 'customer', carrier: '', customer: match.peer.id, attributionRule: 'customer_peer' }
}

/** The site whose SBC the address is, or undefined: not ours, or a peer fits it better. */
function siteOfSbc(network: Network, address: Address | undefined, port: number): string | undefined {
  if (address === undefined) return undefined
  const ours = network.sbcs.matches(address)[0]
  if (ours === undefined) return undefined
  for (const { bits, values } of network.peers.matches(address)) {
    if (bits < ours.bits) break
    const better = values.some((peer) =>
      peer.port === undefined ? bits > ours.bits : peer.port === port && bits >= ours.bits,
    )
    if (better) return undefined
  }
  return ours.values[0]
}

function bestPeer(
  network: Network,
  address: Address | undefined,
  port: number,
  site: string,
  direction: Direction,
): PeerMatch | undefined {
  if (address === undefined) return undefined
  for (const { bits, values } of network.peers.matches(address)) {
    const fitting = values.filter(
      (peer) =>
        (peer.port === undefined || peer.port === port) &&
        (peer.site === undefined || peer.site === site) &&
        (peer.direction === undefined || peer.direction === direction),
    )
    if (fitting.length > 0) return { bits, peer: fitting.sort(byFit)[0]! }
  }
  return undefined
}

/** Better first, among peers of equal prefixes. */
function byFit(a: Peer, b: Peer): number {
  return (
    Number(b.port !== undefined) - Number(a.port !== undefined) ||
    conditions(b) - conditions(a) ||
    Number(b.party === 'carrier') - Number(a.party === 'carrier') ||
    a.order - b.order
  )
}

function conditions(peer: Peer): number {
  return Number(peer.site !== undefined) + Number(peer.direction !== undefined)
}

function farOfTwo(caller: PeerMatch | undefined, callee: PeerMatch | undefined): 'source' | 'destination' {
  if (callee === undefined) return 'source'
  if (caller === undefined) return 'destination'
  if (caller.peer.party !== callee.peer.party) {
    return callee.peer.party === 'carrier' ? 'destination' : 'source'
  }
  const callerFit =
    caller.bits - callee.bits ||
    Number(caller.peer.port !== undefined) - Number(callee.peer.port !== undefined) ||
    conditions(caller.peer) - conditions(callee.peer)
  return callerFit > 0 ? 'source' : 'destination'
}
