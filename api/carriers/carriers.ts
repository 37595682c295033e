/** The configured carriers and what came of them, and `unknown` with its peers. */
import { z } from 'zod'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Readers } from '../readers.js'
import { isoOf, type Span } from '../time-span.js'
import { readUnknownPeers, stanzaOf, unknownPeer } from './unknown-peers.js'

const counts = {
  attempts: z.number(),
  open: z.number(),
  incomplete: z.number(),
  last_seen: z
    .string()
    .nullable()
    .describe('Start of the minute of its newest attempt; null when there is none.'),
}

export const carriersAnswer = z
  .object({
    from: z.string(),
    to: z.string(),
    as_of: z.string().nullable(),
    carriers: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        is_configured: z
          .boolean()
          .describe('false: attempts are stored under an id that the configuration no longer has.'),
        peers: z.array(
          z.object({
            cidr: z.string(),
            port: z.number().optional(),
            site: z.string().optional(),
            direction: z.string().optional(),
          }),
        ),
        ...counts,
      }),
    ),
    unknown: z.object({
      ...counts,
      peers: z.array(unknownPeer),
      stanza: z.string().describe('Lines for trunkscope.yaml that name the peers seen.'),
    }),
  })
  .meta({ title: 'Carriers' })

export type CarriersAnswer = z.output<typeof carriersAnswer>

interface CountRow {
  name: string
  sum_attempts: string
  sum_open: string
  sum_incomplete: string
  last_s: number
}

export async function readCarriers(
  readers: Readers,
  config: TrunkscopeConfig,
  span: Span,
  asOfUs: number,
): Promise<CarriersAnswer> {
  const [rows, peers] = await Promise.all([readCounts(readers, span), readUnknownPeers(readers, span)])
  const byId = new Map(rows.map((row) => [row.name, row]))
  const configured = config.carriers.map(({ id, name, peers }) => ({
    id,
    name: name ?? id,
    is_configured: true,
    peers: peers.map((peer) => (typeof peer === 'string' ? { cidr: peer } : peer)),
    ...countsOf(byId.get(id)),
  }))
  const former = rows
    .filter(({ name }) => name !== 'unknown' && !config.carriers.some(({ id }) => id === name))
    .map((row) => ({
      id: row.name,
      name: row.name,
      is_configured: false,
      peers: [],
      ...countsOf(row),
    }))
  return {
    from: isoOf(span.fromUs),
    to: isoOf(span.toUs),
    as_of: asOfUs > 0 ? isoOf(asOfUs) : null,
    carriers: [...configured, ...former],
    unknown: {
      ...countsOf(byId.get('unknown')),
      peers,
      stanza: stanzaOf(
        peers.map(({ address }) => address),
        peers.filter((peer) => !peer.is_other_end_ours).map((peer) => peer.other_end),
      ),
    },
  }
}

function readCounts(readers: Readers, span: Span): Promise<CountRow[]> {
  return readers.select<CountRow>(
    `SELECT carrier AS name, sum(attempts) AS sum_attempts, sum(open) AS sum_open, sum(incomplete) AS sum_incomplete,
       toUInt32(max(minute)) AS last_s
     FROM (SELECT carrier, minute, attempts, open, incomplete FROM kpi_minute FINAL
       WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC')
         AND party IN ('carrier', 'unknown'))
     WHERE attempts + open + incomplete > 0
     GROUP BY carrier ORDER BY carrier`,
    { from_s: Math.floor(span.fromUs / 1e6), to_s: Math.ceil(span.toUs / 1e6) },
  )
}

function countsOf(row: CountRow | undefined) {
  return {
    attempts: Number(row?.sum_attempts ?? 0),
    open: Number(row?.sum_open ?? 0),
    incomplete: Number(row?.sum_incomplete ?? 0),
    last_seen: row === undefined ? null : isoOf(row.last_s * 1e6),
  }
}
