/**
 * Who sends and gets the calls that are nobody's: their addresses, and the lines of YAML that would name them.
 *
 * Where one end is an SBC of the configuration the other is the peer. Where neither is known both ends are listed: which
 * of them is ours is the operator's to say, and is not guessed.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import type { Readers } from '../readers.js'
import { isoOrNull, type Span } from '../time-span.js'

const PEERS_MAX = 100

export const unknownPeer = z
  .object({
    address: z.string().describe('The far side; where no SBC is known, the other end stands in `other_end`.'),
    other_end: z.string(),
    is_other_end_ours: z.boolean().describe('The other end is an SBC of the configuration.'),
    ports: z.array(z.number()),
    sites: z.array(z.string()),
    directions: z.array(z.string()),
    attempts: z.number(),
    open: z.number(),
    incomplete: z.number(),
    last_seen: z.string().nullable(),
    stanza: z
      .string()
      .describe('To copy into trunkscope.yaml; empty where the address is not an IP address.'),
  })
  .meta({ title: 'Unknown peer' })

export type UnknownPeer = z.output<typeof unknownPeer>

interface PeerRow {
  far_address: string
  sbc_address: string
  ours: number
  ports: number[]
  sites: string[]
  directions: string[]
  attempts: string
  open: string
  incomplete: string
  last_us: string
}

const UNKNOWN = `minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
       AND party = 'unknown'`
/** Of the key, which is the same in every version of a row: it may stand before FINAL. */
const OF_KEYS = `PREWHERE attempt_id IN (SELECT attempt_id FROM call_attempts WHERE ${UNKNOWN})`

/** Up to so many rows are read by their keys; above, all of their minutes. */
const KEYS_MAX = 2_000

/**
 * Peers with most attempts first; the list is cut after a hundred.
 *
 * How      Rows that were unknown when they were written are looked for in one short column, replaced ones among them. No row
 *          stands and is unknown that is not one of these: mostly there are none. What stands (FINAL, which reads every
 *          column whole) is then asked of their minutes only, and of their keys where they are few.
 */
export async function readUnknownPeers(readers: Readers, span: Span): Promise<UnknownPeer[]> {
  const within = {
    from_s: Math.floor(span.fromUs / 6e7) * 60,
    to_s: Math.ceil(span.toUs / 1e6),
  }
  const [written] = await readers.select<{ rows: string }>(
    `SELECT count() AS rows FROM call_attempts WHERE ${UNKNOWN}`,
    within,
  )
  const writtenRows = Number(written?.rows ?? 0)
  if (writtenRows === 0) return []
  const rows = await readers.select<PeerRow>(
    `SELECT far_address, sbc_address, direction != 'unknown' AS ours, groupUniqArray(8)(far_port) AS ports,
       groupUniqArray(8)(site) AS sites, groupUniqArray(3)(direction) AS directions,
       countIf(state = 'closed') AS attempts, countIf(state = 'open') AS open, countIf(state = 'incomplete') AS incomplete,
       max(invited_at_us) AS last_us
     FROM call_attempts FINAL ${writtenRows <= KEYS_MAX ? OF_KEYS : ''}
     WHERE minute IN (SELECT minute FROM call_attempts WHERE ${UNKNOWN}) AND ${UNKNOWN} AND state != 'fragment'
     GROUP BY far_address, sbc_address, ours ORDER BY count() DESC, far_address, sbc_address LIMIT {limit:UInt32}`,
    { ...within, limit: PEERS_MAX },
  )
  return rows.map((row) => ({
    address: row.far_address,
    other_end: row.sbc_address,
    is_other_end_ours: row.ours === 1,
    ports: row.ports.sort((a, b) => a - b),
    sites: row.sites.filter((site) => site !== '').sort(),
    directions: row.directions.sort(),
    attempts: Number(row.attempts),
    open: Number(row.open),
    incomplete: Number(row.incomplete),
    last_seen: isoOrNull(Number(row.last_us)),
    stanza: stanzaOf([row.far_address], row.ours === 1 ? [] : [row.sbc_address]),
  }))
}

/** Lines for trunkscope.yaml. Only addresses get in: anything else came from the wire and stays out. */
export function stanzaOf(farAddresses: readonly string[], ownAddresses: readonly string[]): string {
  const far = cidrs(farAddresses)
  const own = cidrs(ownAddresses.filter((address) => !farAddresses.includes(address)))
  if (far.length === 0) return ''
  const site =
    own.length === 0
      ? ''
      : `sites:
  - id: my-site
    sbc: [${own.join(', ')}]   # if this end is yours; otherwise swap the two
`
  return `${site}carriers:
  - id: new-carrier
    name: New Carrier
    peers: [${far.join(', ')}]
`
}

function cidrs(addresses: readonly string[]): string[] {
  const unique = [...new Set(addresses)].filter((address) => isIP(address) !== 0)
  return unique.map((address) => (isIP(address) === 6 ? `"${address}/128"` : `${address}/32`))
}
