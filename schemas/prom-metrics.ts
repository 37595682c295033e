/**
 * What `/prom` serves: name, type, labels, unit and sentence of each metric, declared once (docs/prom.md). The numbers of
 * the KPI catalog come from there. The process's own health is `own-metrics.ts`; the two share no name.
 *
 * Counters are virtual: the running sum of the minutes. A unit of '' counts things.
 */
import { bucketDelayMs, delayBucket } from './delay-histogram.js'
import type { Kpi } from './kpi/kpi.js'
import { MEAN_KPIS, RATIO_KPIS } from './kpi-catalog.js'

export interface PromMetric {
  /** Of a histogram: without `_bucket`, `_sum`, `_count`. */
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  labels: readonly string[]
  unit: '' | 'seconds' | 'ratio'
  help: string
}

const LEG = ['carrier', 'site', 'direction'] as const
const TRUNK = ['carrier', 'site', 'address'] as const
/** Of a peak; scope says which of the others it has: docs/trunks.md. */
const PEAK = ['scope', ...TRUNK] as const

const metric = (
  type: PromMetric['type'],
  name: string,
  labels: readonly string[],
  help: string,
  unit: PromMetric['unit'] = '',
): PromMetric => ({ name, type, labels, unit, help })

const RATIO_NAMES = RATIO_KPIS.map(({ id }) => id).join(', ')
const MEAN_NAMES = MEAN_KPIS.map(({ id }) => id).join(', ')

/** Columns of `agents_minute` that count, each a metric `trunkscope_agent_<column>_total`. */
export const AGENT_COUNTS = {
  frames: 'Frames that the agent sent and that were accepted.',
  sip_messages: 'SIP messages in the frames of the agent.',
  keepalives: 'Frames of the agent that hold a keepalive and no SIP message.',
  refused: 'Accepted frames of the agent that hold no SIP message to store.',
  unreadable: 'SIP messages of the agent that were stored raw with a parse error.',
  truncated: 'SIP messages of the agent that are shorter than they say.',
  timestamps_replaced: 'Frames of the agent whose capture time was not usable.',
  duplicates: 'SIP messages that the agent sent again.',
  identity_seen: 'SIP messages of the agent with an Identity header.',
  identity_cut: 'SIP messages of the agent whose Identity header breaks off.',
  sdp_seen: 'SIP messages of the agent with SDP, or that announce it and are cut.',
  sdp_cut: 'SIP messages of the agent whose SDP is cut.',
} as const
export type AgentCount = keyof typeof AGENT_COUNTS

export const PROM_METRICS: readonly PromMetric[] = [
  metric('counter', 'trunkscope_attempts_total', LEG, 'Closed attempts, by the minute of their INVITE.'),
  metric(
    'counter',
    'trunkscope_open_attempts_total',
    LEG,
    'Attempts of these minutes that have no outcome yet; it falls as they get one.',
  ),
  metric(
    'counter',
    'trunkscope_incomplete_attempts_total',
    LEG,
    'Attempts of which the capture lost a part: in no ratio.',
  ),
  metric(
    'counter',
    'trunkscope_responses_total',
    [...LEG, 'code'],
    'Closed attempts by their final response; those without one are in none.',
  ),
  metric(
    'counter',
    'trunkscope_dispositions_total',
    [...LEG, 'disposition'],
    'Closed attempts by how they ended.',
  ),
  metric('counter', 'trunkscope_cancels_total', [...LEG, 'class'], 'Cancelled attempts by why.'),
  metric(
    'counter',
    'trunkscope_attestation_total',
    [...LEG, 'level'],
    'Closed attempts by what their PASSporT claims: A, B, C, none or malformed.',
  ),
  metric(
    'counter',
    'trunkscope_identity_tokens_total',
    [...LEG, 'spc', 'signature'],
    'Tokens of Identity headers that were looked at, by the code of who signed and by what the signature says: valid, invalid or not_checked.',
  ),
  metric(
    'counter',
    'trunkscope_identity_verified_total',
    [...LEG, 'spc', 'verdict'],
    'The same tokens by the verdict of all steps of RFC 8224 together: passed, failed or not_checked.',
  ),
  metric(
    'counter',
    'trunkscope_identity_contract_total',
    [...LEG, 'spc', 'contract'],
    'Tokens with a valid signature by whether spcs of the carrier names who signed: contracted, other, unknown (the certificate has no code), or not_asked (no spcs, or not inbound).',
  ),
  metric(
    'gauge',
    'trunkscope_identity_certificate_remaining_seconds',
    ['certificate', 'spc', 'carrier'],
    'How long a certificate that signed tokens within 24 h is still good, negative when it has ended; certificate: the first 16 digits of its SHA-256.',
    'seconds',
  ),
  metric(
    'histogram',
    'trunkscope_post_dial_delay_seconds',
    LEG,
    'Post-dial delay of the attempts that have one; 20 edges of the fine histogram behind /v1/kpis.',
    'seconds',
  ),
  metric(
    'histogram',
    'trunkscope_time_to_cancel_seconds',
    LEG,
    'From the INVITE to the CANCEL of the attempts that were given up; edges as of the post-dial delay.',
    'seconds',
  ),
  metric(
    'counter',
    'trunkscope_suspicions_total',
    [...LEG, 'rule'],
    'Suspicions about early media and false answers, from signalling only, by their rule (docs/early-media.md).',
  ),
  metric(
    'gauge',
    'trunkscope_trunk_reachable',
    TRUNK,
    '1 while a trunk is up, 0.5 while it is degraded, 0 while it is down; no sample while that is unknown.',
  ),
  metric(
    'gauge',
    'trunkscope_trunk_state_seconds',
    [...TRUNK, 'state'],
    'How long a trunk has been in the state it is in (up, degraded, down, unknown), a day at most.',
    'seconds',
  ),
  metric(
    'gauge',
    'trunkscope_trunk_flaps',
    TRUNK,
    'Changes of a trunk between up, degraded and down in the 24 hours before.',
  ),
  metric(
    'gauge',
    'trunkscope_capacity_concurrent_calls_peak',
    PEAK,
    'Most calls up at one second of the last whole hour; scope: trunk, carrier_site, carrier or site.',
  ),
  metric(
    'gauge',
    'trunkscope_capacity_concurrent_calls_limit',
    PEAK,
    'Concurrent calls that are contracted now, of those that had a call within 24 h.',
  ),
  metric(
    'gauge',
    'trunkscope_capacity_calls_per_second_peak',
    PEAK,
    'Most INVITEs in one second of the last whole hour.',
  ),
  metric(
    'gauge',
    'trunkscope_capacity_calls_per_second_limit',
    PEAK,
    'Calls per second that are contracted now, of those that had a call within 24 h.',
  ),
  metric(
    'counter',
    'trunkscope_kpi_numerator_total',
    [...LEG, 'kpi'],
    `Above the line of a KPI: attempts for ${RATIO_NAMES}; seconds for ${MEAN_NAMES}.`,
  ),
  metric(
    'counter',
    'trunkscope_kpi_denominator_total',
    [...LEG, 'kpi'],
    `Below the line of a KPI: attempts for ${RATIO_NAMES}; measurements for ${MEAN_NAMES}.`,
  ),
  metric(
    'gauge',
    'trunkscope_kpi_ratio',
    [...LEG, 'kpi'],
    `A minute's ratio, absent below the floor of the KPI; for one series: ratios do not add up. ${RATIO_NAMES}.`,
    'ratio',
  ),
  metric(
    'gauge',
    'trunkscope_slo_burn_ratio',
    ['slo', 'window', 'carrier', 'site'],
    'Share of bad attempts in the window over the share that the objective allows.',
    'ratio',
  ),
  metric(
    'gauge',
    'trunkscope_slo_budget_remaining_ratio',
    ['slo', 'carrier', 'site'],
    'What is left of the error budget of the objective; negative when it is overspent.',
    'ratio',
  ),
  ...Object.entries(AGENT_COUNTS).map(([column, help]) =>
    metric('counter', `trunkscope_agent_${column}_total`, ['agent', 'site'], help),
  ),
]

/** A KPI whose two halves are served, by its id. */
export const SERVED_KPIS: readonly Kpi[] = [...RATIO_KPIS, ...MEAN_KPIS]

/** Seconds that the edges lie next to. 6 and 11 are the limits of metrics.md §8. */
const EDGES_NEAR_S = [
  0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 11, 15, 20, 30, 60,
] as const

/** The upper end of a fine bucket: what stands for a bucket lies at 2/(1+γ) of it. */
function upperEndMs(bucket: number): number {
  const gamma = bucketDelayMs(2) / bucketDelayMs(1)
  return (bucketDelayMs(bucket) * (1 + gamma)) / 2
}

/** The upper edges of `trunkscope_post_dial_delay_seconds_bucket`, ascending; `+Inf` comes after them. */
export const DELAY_EDGES: readonly { bucket: number; le: string }[] = EDGES_NEAR_S.map((nearS) => {
  const bucket = delayBucket(nearS * 1_000)
  return { bucket, le: String(Number((upperEndMs(bucket) / 1_000).toPrecision(6))) }
})

export interface PromSeriesName {
  name: string
  metric: PromMetric
  labels: readonly string[]
}

/** Names as they stand in an expression: a histogram has three. */
export const PROM_SERIES_NAMES: readonly PromSeriesName[] = PROM_METRICS.flatMap((metric) =>
  metric.type === 'histogram'
    ? [
        { name: `${metric.name}_bucket`, metric, labels: [...metric.labels, 'le'] },
        { name: `${metric.name}_sum`, metric, labels: metric.labels },
        { name: `${metric.name}_count`, metric, labels: metric.labels },
      ]
    : [{ name: metric.name, metric, labels: metric.labels }],
)
