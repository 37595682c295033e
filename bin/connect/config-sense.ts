/**
 * What is wrong with a configuration although its shape is right: things named twice, named by others and missing, and
 * addresses that would belong to two. Looks at the data as written, so that these mistakes are listed together with those
 * of the shape; what has the wrong shape is passed over here.
 */
import { isNetwork, type Prefix, prefixesOverlap, prefixText, readPrefix } from '../../sip/ip-prefix.js'
import { alertMistakes } from './config-alerts.js'
import { creditMistakes } from './config-credits.js'
import { identityMistakes } from './config-identity.js'
import { scorecardMistakes } from './config-scorecards.js'
import { type Mistake, valueAt } from './config-shape.js'
import { sloMistakes } from './config-slos.js'
import { targetMistakes } from './config-targets.js'
import { type ConfigPath, pathText } from './config-text.js'
import { trunkGroupMistakes } from './config-trunks.js'
import { nearest } from './nearest.js'

interface Entry {
  path: ConfigPath
  id: string
  block: Record<string, unknown>
}

interface Peer {
  path: ConfigPath
  owner: string
  prefix: Prefix
  port: unknown
  site: unknown
  direction: unknown
}

export function senseMistakes(data: unknown): Mistake[] {
  const sites = entriesOf(data, 'sites')
  const carriers = entriesOf(data, 'carriers')
  const customers = entriesOf(data, 'customers')
  const tokens = entriesOf(data, 'tokens')
  const peers = [...peersOf('carrier', carriers), ...peersOf('customer', customers)]
  return [
    ...[sites, carriers, customers, tokens].flatMap(repeatedIds),
    ...repeatedTokens(tokens),
    ...unknownCarriers(tokens, carriers),
    ...repeatedAgents(sites),
    ...networks(sites, [...carriers, ...customers], allowedAgents(data)),
    ...overlappingSbcs(sites),
    ...unknownSites(peers, sites),
    ...sharedPeers(peers),
    ...peersOnSbcs(peers, sites),
    ...alertMistakes(data),
    ...scorecardMistakes(data),
    ...sloMistakes(data),
    ...targetMistakes(data),
    ...identityMistakes(data),
    ...creditMistakes(data),
    ...trunkGroupMistakes(data),
  ]
}

function entriesOf(data: unknown, key: string): Entry[] {
  const list = (data as Record<string, unknown> | null)?.[key]
  if (!Array.isArray(list)) return []
  return list.flatMap((block, index) => {
    if (typeof block !== 'object' || block === null) return []
    const id = (block as Record<string, unknown>).id
    return [
      { path: [key, index], id: typeof id === 'string' ? id : '', block: block as Record<string, unknown> },
    ]
  })
}

function listOf(entry: Entry, key: string): { path: ConfigPath; value: unknown }[] {
  const list = entry.block[key]
  if (!Array.isArray(list)) return []
  return list.map((value, index) => ({ path: [...entry.path, key, index], value }))
}

function allowedAgents(data: unknown): { path: ConfigPath; value: unknown }[] {
  const list = valueAt(data, ['capture', 'allowed_agents'])
  return Array.isArray(list)
    ? list.map((value, index) => ({ path: ['capture', 'allowed_agents', index], value }))
    : []
}

function peersOf(party: string, entries: Entry[]): Peer[] {
  return entries.flatMap((entry) =>
    listOf(entry, 'peers').flatMap(({ path, value }) => {
      const { cidr, port, site, direction } = (
        typeof value === 'object' && value !== null ? value : { cidr: value }
      ) as Record<string, unknown>
      const prefix = typeof cidr === 'string' ? readPrefix(cidr) : undefined
      if (prefix === undefined) return []
      return [{ path, owner: `${party} ${entry.id}`, prefix, port, site, direction }]
    }),
  )
}

function repeatedIds(entries: Entry[]): Mistake[] {
  return repeated(
    entries.filter(({ id }) => id !== '').map(({ id, path }) => ({ value: id, path: [...path, 'id'] })),
    (id, first) =>
      `${id} is already the id of ${first}; every id stands once, so rename one or join the two blocks`,
  )
}

/** One token under two ids would be whoever stands first. */
function repeatedTokens(tokens: Entry[]): Mistake[] {
  return repeated(
    tokens
      .filter(({ block }) => typeof block.sha256 === 'string')
      .map(({ block, path }) => ({ value: block.sha256, path: [...path, 'sha256'] })),
    (_, first) => `is the token of ${first} again; make another with: trunkscope token`,
  )
}

/** A token for a carrier that nobody knows would show nothing, and everybody would look for the calls. */
function unknownCarriers(tokens: Entry[], carriers: Entry[]): Mistake[] {
  const known = carriers.map(({ id }) => id).filter((id) => id !== '')
  return tokens.flatMap((token) =>
    listOf(token, 'carriers').flatMap(({ path, value }) => {
      if (typeof value !== 'string' || known.includes(value)) return []
      const meant = nearest(value, known)
      const fix =
        meant !== undefined
          ? `did you mean ${meant}?`
          : known.length > 0
            ? `write one of ${known.join(', ')}`
            : 'add it under carriers'
      return [
        {
          code: 'TRUNKSCOPE_CONFIG_UNKNOWN_CARRIER' as const,
          path,
          problem: `no carrier has the id ${value}; ${fix}`,
        },
      ]
    }),
  )
}

function repeatedAgents(sites: Entry[]): Mistake[] {
  const agents = sites.flatMap((site) => listOf(site, 'agents'))
  return repeated(
    agents,
    (agent, first) =>
      `capture id ${agent} is already given at ${first}; an agent stands at one site, so remove one`,
  )
}

function repeated(
  list: readonly { value: unknown; path: ConfigPath }[],
  problem: (value: unknown, first: string) => string,
): Mistake[] {
  const seen = new Map<unknown, ConfigPath>()
  return list.flatMap(({ value, path }) => {
    const first = seen.get(value)
    if (first === undefined) {
      seen.set(value, path)
      return []
    }
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_DUPLICATE' as const,
        path,
        problem: problem(value, pathText(first.slice(0, 2))),
      },
    ]
  })
}

/** 198.51.100.10/24 may mean the one address or all 256: the file has to say which. */
function networks(
  sites: Entry[],
  owners: Entry[],
  allowed: { path: ConfigPath; value: unknown }[],
): Mistake[] {
  const cidrs = [
    ...allowed,
    ...sites.flatMap((site) => listOf(site, 'sbc')),
    ...owners
      .flatMap((owner) => listOf(owner, 'peers'))
      .map(({ path, value }) =>
        typeof value === 'object' && value !== null
          ? { path: [...path, 'cidr'], value: (value as Record<string, unknown>).cidr }
          : { path, value },
      ),
  ]
  return cidrs.flatMap(({ path, value }) => {
    const prefix = typeof value === 'string' ? readPrefix(value) : undefined
    if (typeof value !== 'string' || prefix === undefined || isNetwork(value)) return []
    const address = value.slice(0, value.indexOf('/'))
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_BAD_VALUE' as const,
        path,
        problem:
          `"${value}" is an address inside a network; write ${address} for the one address, ` +
          `or ${prefixText(prefix)} for the whole network`,
      },
    ]
  })
}

function overlappingSbcs(sites: Entry[]): Mistake[] {
  const sbcs = sites.flatMap((site) =>
    listOf(site, 'sbc').flatMap(({ path, value }) => {
      const prefix = typeof value === 'string' ? readPrefix(value) : undefined
      return prefix === undefined ? [] : [{ path, value, site: site.id, prefix }]
    }),
  )
  return sbcs.flatMap((sbc, index) => {
    const other = sbcs
      .slice(0, index)
      .find((earlier) => earlier.path[1] !== sbc.path[1] && prefixesOverlap(earlier.prefix, sbc.prefix))
    if (other === undefined) return []
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_AMBIGUOUS_ADDRESS' as const,
        path: sbc.path,
        problem:
          `${sbc.value} overlaps ${other.value} of site ${other.site} (${pathText(other.path)}); ` +
          'an SBC address belongs to one site, so make one of them narrower or remove it',
      },
    ]
  })
}

function unknownSites(peers: Peer[], sites: Entry[]): Mistake[] {
  const known = sites.map((site) => site.id)
  return peers.flatMap((peer) => {
    if (typeof peer.site !== 'string' || known.includes(peer.site)) return []
    const meant = nearest(peer.site, known)
    const fix =
      meant !== undefined
        ? `did you mean ${meant}?`
        : known.length > 0
          ? `write one of ${known.join(', ')}, or add it under sites`
          : `add it: sites: [{ id: ${peer.site}, sbc: [192.0.2.11/32] }]`
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_UNKNOWN_SITE' as const,
        path: [...peer.path, 'site'],
        problem: `no site has the id ${peer.site}; ${fix}`,
      },
    ]
  })
}

/** Two owners of one prefix and port whose conditions can hold together and are equally many: nothing decides. */
function sharedPeers(peers: Peer[]): Mistake[] {
  return peers.flatMap((peer, index) => {
    const other = peers
      .slice(0, index)
      .find((earlier) => earlier.owner !== peer.owner && isEquallySpecific(earlier, peer))
    if (other === undefined) return []
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_AMBIGUOUS_ADDRESS' as const,
        path: peer.path,
        problem:
          `${prefixText(peer.prefix)} is already a peer of ${other.owner} (${pathText(other.path)}) under the same ` +
          'conditions; remove one, or tell them apart by port, site or direction',
      },
    ]
  })
}

function isEquallySpecific(a: Peer, b: Peer): boolean {
  const compatible = (x: unknown, y: unknown) => x === undefined || y === undefined || x === y
  const conditions = (peer: Peer) => Number(peer.site !== undefined) + Number(peer.direction !== undefined)
  return (
    prefixText(a.prefix) === prefixText(b.prefix) &&
    a.port === b.port &&
    compatible(a.site, b.site) &&
    compatible(a.direction, b.direction) &&
    conditions(a) === conditions(b)
  )
}

/** The SBC wins over a peer with the same prefix unless the peer names a port, so such a peer would never match. */
function peersOnSbcs(peers: Peer[], sites: Entry[]): Mistake[] {
  const sbcs = new Map(
    sites.flatMap((site) =>
      listOf(site, 'sbc').flatMap(({ path, value }) => {
        const prefix = typeof value === 'string' ? readPrefix(value) : undefined
        return prefix === undefined ? [] : [[prefixText(prefix), pathText(path)] as const]
      }),
    ),
  )
  return peers.flatMap((peer) => {
    const sbc = sbcs.get(prefixText(peer.prefix))
    if (sbc === undefined || peer.port !== undefined) return []
    return [
      {
        code: 'TRUNKSCOPE_CONFIG_AMBIGUOUS_ADDRESS' as const,
        path: peer.path,
        problem:
          `${prefixText(peer.prefix)} is our own SBC (${sbc}), so this peer can never match; ` +
          'write the address of the other side, or add the port that tells the two apart',
      },
    ]
  })
}
