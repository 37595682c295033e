/**
 * The one statement of a selector over the rollups: rows of minutes, hours and days, summed by series and bucket, each
 * series one row of the answer.
 */
import { GRAIN_S, type Parts } from '../kpi/grains.js'
import type { Conditions, Test } from './matchers.js'
import { EDGE_OF_BUCKET, type Family, HAS_TRAFFIC } from './rollup-families.js'

export type Statement = [sql: string, parameters: Record<string, unknown>]

/** Names of agents come from the wire: those with the most minutes become labels. */
export const AGENTS_MAX = 500

/** A label as SQL: what nothing tells is unknown, as in /v1/kpis. */
const labelled = (column: string) => `if(${column} = '', 'unknown', ${column})`

export const LEG_LABELS: Readonly<Record<string, string>> = {
  carrier: labelled('carrier'),
  site: labelled('site'),
  direction: labelled('direction'),
}

const PARTIES = "party IN ('carrier', 'unknown')"

/** The site of an agent is what the configuration says of its capture id. */
export const AGENT_LABELS: Readonly<Record<string, string>> = {
  agent: 'toString(agent)',
  site: "transform(agent_id, {agent_ids:Array(UInt32)}, {agent_sites:Array(String)}, 'unknown')",
}

/** An SPC comes from a certificate: what is none by its form is no label. */
export const SPC_LABEL = "if(match(spc, '^[A-Za-z0-9]{1,32}$'), spc, 'unknown')"

const TOKEN_LABELS: Readonly<Record<string, string>> = { ...LEG_LABELS, spc: SPC_LABEL }

const LABELS_OF = {
  leg: LEG_LABELS,
  agent: AGENT_LABELS,
  token: TOKEN_LABELS,
  suspected: LEG_LABELS,
  given_up: LEG_LABELS,
} as const

export function labelsOf({ table }: Pick<Family, 'table'>): Readonly<Record<string, string>> {
  return LABELS_OF[table]
}

/** Tokens of headers: nested ones are no further call's. */
export const TOKENS = `${PARTIES} AND depth = 0 AND form != 'none'`

/** Closed attempts whose CANCEL was seen by the agent that saw their INVITE, answered ones left out (docs/cancels.md). */
const GIVEN_UP = `state = 'closed' AND invited_at_us > 0 AND cancelled_at_us >= invited_at_us AND cancel_class NOT IN ('', 'CANCEL_RACE_200')`

export interface Asked {
  family: Family
  /** Of labels that are columns. */
  tests: readonly Test[]
  /** Of the label that is a key. */
  keyTests: readonly Test[]
  /** Where they are known: the values of the key that are asked for. */
  keyNames: readonly string[]
  conditions: Conditions
  parts: Parts
  baseS: number
  bucketS: number
  limit: number
  agents: { ids: readonly number[]; sites: readonly string[] }
  /** Carriers whose contract names codes of signers, and `<carrier> <CODE>` of each. */
  contracts: { carriers: readonly string[]; codes: readonly string[] }
}

export interface SeriesRow {
  labels: string[]
  key: string
  buckets: number[]
  ends: number[]
  /** Of a histogram: undefined. */
  sums?: number[]
  /** Of a histogram: index of the edge, and count. */
  edges?: number[][]
  counts?: number[][]
}

export function statementOf(asked: Asked): Statement {
  const { family, conditions } = asked
  const names = Object.keys(labelsOf(family))
  const key = family.key
  const sums = family.histogram
    ? `sumMap(arrayMap(bucket -> {edge_of:Array(UInt8)}[bucket + 1], mapKeys(${family.histogram})),
        arrayMap(count -> toFloat64(count), mapValues(${family.histogram}))) AS by_edge`
    : `sum(${family.value}) AS bucket_sum`
  // A KPI of 0 is a 0; a code that did not come is no series.
  const keyConditions = [
    ...(key?.columnsOf === undefined ? ['key_value > 0'] : []),
    ...asked.keyTests.map((test) => conditions.of('toString(key_name)', test)),
  ]
  const where =
    key === undefined || keyConditions.length === 0 ? '' : `\n  WHERE ${keyConditions.join(' AND ')}`
  const by = [...names, 'series_key', 'bucket'].join(', ')
  const from = rowsOf(asked, names)
  return [
    `SELECT [${names.join(', ')}] AS labels, series_key AS key,
  groupArray(bucket) AS buckets, groupArray(last_end) AS ends,
  ${family.histogram ? 'groupArray(by_edge.1) AS edges, groupArray(by_edge.2) AS counts' : 'groupArray(bucket_sum) AS sums'}
FROM (
  SELECT ${names.join(', ')}, ${key === undefined ? "''" : 'toString(key_name)'} AS series_key,
    if(row_start < {base_s:UInt32}, -1, toInt32(intDiv(row_start - {base_s:UInt32}, {bucket_s:UInt32}))) AS bucket,
    max(row_end) AS last_end, ${sums}
  FROM (${from})${key === undefined ? '' : `\n  ARRAY JOIN ${key.join(asked.keyNames)}`}${where}
  GROUP BY ${by} ORDER BY bucket
)
GROUP BY ${[...names, 'series_key'].join(', ')} ORDER BY labels, key LIMIT {series_limit:UInt32}`,
    {
      ...conditions.parameters,
      ...rangeParameters(asked.parts),
      ...(family.histogram ? { edge_of: EDGE_OF_BUCKET } : {}),
      ...agentParameters(asked),
      ...contractParameters(asked),
      base_s: asked.baseS,
      bucket_s: asked.bucketS,
      series_limit: asked.limit,
    },
  ]
}

const GRAINS = ['minute', 'hour', 'day'] as const

function rowsOf({ family, tests, keyNames, conditions, parts }: Asked, names: readonly string[]): string {
  const labels = labelsOf(family)
  const where = tests.map((test) => ` AND ${conditions.of(labels[test.label]!, test)}`).join('')
  const columns = [...family.columns, ...(family.key?.columnsOf?.(keyNames) ?? [])]
  const computed = Object.entries(family.computed ?? {})
  const grains = family.table === 'leg' ? GRAINS : (['minute'] as const)
  return grains
    .filter((grain) => parts[grain].length > 0)
    .map((grain) => {
      const ranges = rangesOf(grain, parts)
      const selected = [
        ...names.map((name) => `${labels[name]} AS label_${name}`),
        `toUInt32(${grain}) AS row_start`,
        `toUInt32(row_start + ${GRAIN_S[grain]}) AS row_end`,
        ...columns,
        ...computed.map(([name, sql]) => `${sql} AS ${name}`),
      ]
      const table = {
        leg: `kpi_${grain} FINAL WHERE ${ranges} AND ${PARTIES} AND ${HAS_TRAFFIC}`,
        agent: `agents_minute FINAL WHERE ${ranges} AND agent IN (${mostHeard(ranges)})`,
        token: `identity_checks FINAL WHERE ${ranges} AND ${TOKENS}`,
        suspected: `attempt_anomalies FINAL WHERE ${ranges} AND ${PARTIES}`,
        given_up: `call_attempts FINAL WHERE ${ranges} AND ${PARTIES} AND ${GIVEN_UP}`,
      }[family.table]
      return `
    SELECT ${names.map((name) => `label_${name} AS ${name}`).join(', ')}, row_start, row_end${[...columns, ...computed.map(([name]) => name)].map((column) => `, ${column}`).join('')}
    FROM (SELECT ${selected.join(', ')} FROM ${table}${where})`
    })
    .join('\n    UNION ALL')
}

function mostHeard(ranges: string): string {
  return `SELECT agent FROM agents_minute WHERE ${ranges} GROUP BY agent ORDER BY count() DESC, agent LIMIT ${AGENTS_MAX}`
}

function rangesOf(grain: (typeof GRAINS)[number], parts: Parts): string {
  return `(${parts[grain]
    .map(
      (_, at) =>
        `(${grain} >= toDateTime({${grain}_${at}_from:UInt32}, 'UTC') AND ${grain} < toDateTime({${grain}_${at}_to:UInt32}, 'UTC'))`,
    )
    .join(' OR ')})`
}

function rangeParameters(parts: Parts): Record<string, number> {
  return Object.fromEntries(
    GRAINS.flatMap((grain) =>
      parts[grain].flatMap(({ fromS, toS }, at): [string, number][] => [
        [`${grain}_${at}_from`, fromS],
        [`${grain}_${at}_to`, toS],
      ]),
    ),
  )
}

function agentParameters({ family, agents }: Pick<Asked, 'family' | 'agents'>): Record<string, unknown> {
  return family.table === 'agent' ? { agent_ids: agents.ids, agent_sites: agents.sites } : {}
}

function contractParameters({
  family,
  contracts,
}: Pick<Asked, 'family' | 'contracts'>): Record<string, unknown> {
  if (family.computed?.contract === undefined) return {}
  return { contract_carriers: contracts.carriers, contract_codes: contracts.codes }
}

/** The ready ratio: a sample a minute where the denominator reaches the floor of its KPI. */
export function ratioStatementOf(
  asked: Pick<Asked, 'tests' | 'conditions' | 'parts' | 'limit'> & {
    kpis: readonly { id: string; floor: number }[]
    /** Only samples with `(end − from) mod step` in (0, window] are looked at. */
    fromS: number
    stepS: number
    windowS: number
  },
): Statement {
  const { conditions, kpis, parts } = asked
  const names = Object.keys(LEG_LABELS)
  const where = asked.tests.map((test) => ` AND ${conditions.of(LEG_LABELS[test.label]!, test)}`).join('')
  const columns = kpis.flatMap(({ id }) => [`${id}_numerator`, `${id}_denominator`])
  return [
    `SELECT [${names.join(', ')}] AS labels, kpi AS key, groupArray(row_end) AS ends, groupArray(ratio) AS sums
FROM (
  SELECT ${names.map((name) => `label_${name} AS ${name}`).join(', ')}, kpi, row_end, sum(n) / sum(d) AS ratio
  FROM (
    SELECT ${names.map((name) => `${LEG_LABELS[name]} AS label_${name}`).join(', ')},
      toUInt32(minute) + 60 AS row_end, ${columns.join(', ')}
    FROM kpi_minute FINAL WHERE ${rangesOf('minute', parts)} AND ${PARTIES} AND ${HAS_TRAFFIC}${where}
  )
  ARRAY JOIN [${kpis.map(({ id }) => `'${id}'`).join(', ')}] AS kpi, [${kpis.map(({ id }) => `${id}_numerator`).join(', ')}] AS n,
    [${kpis.map(({ id }) => `${id}_denominator`).join(', ')}] AS d, [${kpis.map(({ floor }) => floor).join(', ')}] AS floor
  WHERE (row_end - {from_s:UInt32} - 1) % {step_s:UInt32} < {window_s:UInt32}
  GROUP BY ${names.join(', ')}, kpi, row_end HAVING sum(d) >= max(floor) ORDER BY row_end
)
GROUP BY ${names.join(', ')}, kpi ORDER BY labels, key LIMIT {series_limit:UInt32}`,
    {
      ...conditions.parameters,
      ...rangeParameters(parts),
      from_s: asked.fromS,
      step_s: asked.stepS,
      window_s: asked.windowS,
      series_limit: asked.limit,
    },
  ]
}
