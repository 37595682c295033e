/**
 * How each metric of the catalog lies in the store: its table, its labels as SQL, and what is summed. Text is our own;
 * values from outside are parameters.
 */
import { ANOMALY_CODES } from '../../schemas/anomalies.js'
import { CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import { delayBucketSql } from '../../schemas/delay-histogram.js'
import { SIGNATURES, VERDICTS } from '../../schemas/identity-checks.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import { AGENT_COUNTS, DELAY_EDGES, SERVED_KPIS } from '../../schemas/prom-metrics.js'
import { CONTRACTS } from '../identity/signers.js'

/** What a counter's sum is divided by: sums of delays are added up as whole microseconds, which is exact. */
const US = 1e6

export interface Family {
  /**
   * `leg`: the KPI rollups, of which there are minutes, hours and days. `agent`: agents_minute. Of the others long windows cost
   * what there are of them: `token`: identity_checks, a row a token; `suspected`: attempt_anomalies, a row an attempt that has a
   * suspicion; `given_up`: those of call_attempts whose CANCEL was seen.
   */
  table: 'leg' | 'agent' | 'token' | 'suspected' | 'given_up'
  /** Columns of the table that are read. */
  columns: readonly string[]
  /** Read beside them, by the name of what is worked out of a row. */
  computed?: Readonly<Record<string, string>>
  /** Summed, a Float64; of a histogram the counts by edge are. */
  value: string
  perUnit: number
  key?: Key
  /** The column with counts by fine bucket; `value` is then not read. */
  histogram?: string
}

/** A label whose value is not a column: each row has many of them. */
export interface Key {
  label: string
  /** After ARRAY JOIN: gives `key_name` and `key_value`. */
  join: (names: readonly string[]) => string
  /** The values the label can have, where they are known: only those asked for are read. */
  names?: readonly string[]
  columnsOf?: (names: readonly string[]) => string[]
}

const scalar = (column: string): Family => ({
  table: 'leg',
  columns: [column],
  value: `toFloat64(${column})`,
  perUnit: 1,
})

const map = (column: string, label: string, names?: readonly string[]): Family => ({
  table: 'leg',
  columns: [column],
  value: 'toFloat64(key_value)',
  perUnit: 1,
  key: {
    label,
    join: () => `mapKeys(${column}) AS key_name, mapValues(${column}) AS key_value`,
    ...(names === undefined ? {} : { names }),
  },
})

const ofTokens = (column: string, label: string, names: readonly string[]): Family => ({
  table: 'token',
  columns: [column],
  value: 'toFloat64(key_value)',
  perUnit: 1,
  key: { label, join: () => `[${column}] AS key_name, [1] AS key_value`, names },
})

/** Times to CANCEL are of one agent's clock, in microseconds (docs/cancels.md). */
const TO_CANCEL_US = '(cancelled_at_us - invited_at_us)'

const ofGivenUp = (family: Pick<Family, 'computed' | 'value' | 'perUnit' | 'histogram'>): Family => ({
  table: 'given_up',
  columns: [],
  ...family,
})

/** As `contractOf` of api/identity/signers.ts says it; what is contracted is in the parameters. */
const CONTRACT = `multiIf(direction != 'inbound' OR NOT has({contract_carriers:Array(String)}, carrier), 'not_asked',
  spc = '', 'unknown', has({contract_codes:Array(String)}, concat(carrier, ' ', upper(spc))), 'contracted', 'other')`

/** A mean's sum is read as microseconds; `perUnitOf` makes them seconds. */
function kpiPart(part: 'numerator' | 'denominator'): Family {
  const columnOf = (kpi: Kpi) =>
    kpi.kind === 'ratio' ? `${kpi.id}_${part}` : `${kpi.id}_${part === 'numerator' ? 'sum_ms' : 'count'}`
  const amountOf = (kpi: Kpi) =>
    isSeconds(kpi, part) ? `round(${columnOf(kpi)} * 1000)` : `toFloat64(${columnOf(kpi)})`
  return {
    table: 'leg',
    columns: [],
    value: 'key_value',
    perUnit: 1,
    key: {
      label: 'kpi',
      names: SERVED_KPIS.map(({ id }) => id),
      columnsOf: (names) => kpisOf(names).map(columnOf),
      join: (names) =>
        `[${names.map((name) => `'${name}'`).join(', ')}] AS key_name, [${kpisOf(names).map(amountOf).join(', ')}] AS key_value`,
    },
  }
}

const isSeconds = (kpi: Kpi, part: string) => kpi.kind === 'mean' && part === 'numerator'

function kpisOf(names: readonly string[]): Kpi[] {
  return SERVED_KPIS.filter(({ id }) => names.includes(id))
}

const KPI_NUMERATOR = 'trunkscope_kpi_numerator_total'

/** What a sum of this series is divided by. */
export function perUnitOf(metric: string, family: Family, keyName: string): number {
  if (metric !== KPI_NUMERATOR) return family.perUnit
  return isSeconds(kpisOf([keyName])[0]!, 'numerator') ? US : 1
}

/** The label of a histogram's bucket counts; `+Inf` stands for index DELAY_EDGES.length. */
export const LE_NAMES: readonly string[] = [...DELAY_EDGES.map(({ le }) => le), '+Inf']

/** By fine bucket: the index of the first edge that is not below it. */
export const EDGE_OF_BUCKET: readonly number[] = Array.from({ length: 513 }, (_, bucket) => {
  const edge = DELAY_EDGES.findIndex((candidate) => bucket <= candidate.bucket)
  return edge < 0 ? DELAY_EDGES.length : edge
})

export const COUNTER_FAMILIES: Readonly<Record<string, Family>> = {
  trunkscope_attempts_total: scalar('attempts'),
  trunkscope_open_attempts_total: scalar('open'),
  trunkscope_incomplete_attempts_total: scalar('incomplete'),
  trunkscope_responses_total: map('responses', 'code'),
  trunkscope_dispositions_total: map('dispositions', 'disposition', DISPOSITIONS),
  trunkscope_cancels_total: map('cancels', 'class', CANCEL_CLASSES),
  trunkscope_attestation_total: map('attestations', 'level', ['A', 'B', 'C', 'none', 'malformed']),
  trunkscope_identity_tokens_total: ofTokens('signature', 'signature', SIGNATURES),
  trunkscope_identity_verified_total: ofTokens('verified', 'verdict', VERDICTS),
  trunkscope_identity_contract_total: {
    table: 'token',
    columns: [],
    computed: { contract: CONTRACT, is_valid: "toUInt8(signature = 'valid')" },
    value: 'toFloat64(key_value)',
    perUnit: 1,
    key: {
      label: 'contract',
      names: CONTRACTS,
      join: () => '[contract] AS key_name, [is_valid] AS key_value',
    },
  },
  trunkscope_suspicions_total: {
    table: 'suspected',
    columns: ['codes'],
    value: 'toFloat64(key_value)',
    perUnit: 1,
    key: {
      label: 'rule',
      names: ANOMALY_CODES,
      join: () => 'codes AS key_name, arrayMap(code -> 1, codes) AS key_value',
    },
  },
  trunkscope_time_to_cancel_seconds_bucket: ofGivenUp({
    computed: { to_cancel_histogram: `map(${delayBucketSql(`(${TO_CANCEL_US} / 1000)`)}, toUInt64(1))` },
    value: '',
    perUnit: 1,
    histogram: 'to_cancel_histogram',
  }),
  trunkscope_time_to_cancel_seconds_sum: ofGivenUp({
    computed: { to_cancel_us: `toUInt64${TO_CANCEL_US}` },
    value: 'toFloat64(to_cancel_us)',
    perUnit: US,
  }),
  trunkscope_time_to_cancel_seconds_count: ofGivenUp({ value: 'toFloat64(1)', perUnit: 1 }),
  trunkscope_post_dial_delay_seconds_bucket: {
    table: 'leg',
    columns: ['pdd_histogram'],
    value: '',
    perUnit: 1,
    histogram: 'pdd_histogram',
  },
  trunkscope_post_dial_delay_seconds_sum: {
    table: 'leg',
    columns: ['pdd_sum_ms'],
    value: 'round(pdd_sum_ms * 1000)',
    perUnit: US,
  },
  trunkscope_post_dial_delay_seconds_count: scalar('pdd_count'),
  [KPI_NUMERATOR]: kpiPart('numerator'),
  trunkscope_kpi_denominator_total: kpiPart('denominator'),
  ...Object.fromEntries(
    Object.keys(AGENT_COUNTS).map((column): [string, Family] => [
      `trunkscope_agent_${column}_total`,
      { table: 'agent', columns: [column], value: `toFloat64(${column})`, perUnit: 1 },
    ]),
  ),
}

/** Rows of groups that moved elsewhere hold zeros: they keep no series alive. */
export const HAS_TRAFFIC = `(attempts + open + incomplete${KPI_CATALOG.filter(
  ({ minute }) => minute === 'end',
)
  .map(({ id, kind }) => ` + ${id}_${kind === 'ratio' ? 'denominator' : 'count'}`)
  .join('')} > 0)`
