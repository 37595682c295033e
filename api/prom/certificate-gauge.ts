/**
 * How long certificates are still good, `trunkscope_identity_certificate_remaining_seconds`: worked out at each point of the
 * grid for those that signed tokens in the 24 hours before it, counted to the full hour as series of counters are.
 *
 * Throws   PromError `execution` for a function over time: it has a window of its own.
 */
import { METRIC_NAME } from './labels.js'
import { Conditions } from './matchers.js'
import { PromError } from './prom-error.js'
import type { Asking } from './rollup-source.js'
import { LEG_LABELS, SPC_LABEL, TOKENS } from './rollup-sql.js'
import type { SeriesAnswer, SeriesRequest } from './series.js'
import { gridPoints } from './windows.js'

export const CERTIFICATE_GAUGE = 'trunkscope_identity_certificate_remaining_seconds'

const ALIVE_S = 86_400
const HOUR_S = 3_600

const LABELS: Readonly<Record<string, string>> = {
  certificate: 'substring(certificate_sha256, 1, 16)',
  spc: SPC_LABEL,
  carrier: LEG_LABELS.carrier!,
}

interface Row {
  label_certificate: string
  label_spc: string
  label_carrier: string
  not_after_s: string
  /** Beginnings of the hours in which it signed. */
  hours: number[]
}

export async function readCertificateGauge(asking: Asking, request: SeriesRequest): Promise<SeriesAnswer> {
  const { readers, servedUntilS, tests } = asking
  if (request.over !== 'last') {
    throw new PromError(
      'execution',
      `unsupported: ${request.over}_over_time of ${CERTIFICATE_GAUGE}, which has a window of its own, see docs/prom.md`,
    )
  }
  const timesS = gridPoints(request.grid).map((atS) => Math.min(atS - request.offsetS, servedUntilS))
  const conditions = new Conditions('m')
  const where = tests.map((test) => ` AND ${conditions.of(LABELS[test.label]!, test)}`).join('')
  const rows = await readers.select<Row>(
    `SELECT label_certificate, label_spc, label_carrier, max(not_after) AS not_after_s, arraySort(groupUniqArray(hour)) AS hours
     FROM (
       SELECT ${Object.entries(LABELS)
         .map(([name, sql]) => `${sql} AS label_${name}`)
         .join(', ')},
         certificate_not_after AS not_after, toUInt32(toStartOfHour(minute)) AS hour
       FROM identity_checks FINAL
       WHERE minute >= toDateTime({from_s:UInt32}, 'UTC') AND minute < toDateTime({to_s:UInt32}, 'UTC') AND ${TOKENS}
         AND certificate_sha256 != ''${where})
     GROUP BY label_certificate, label_spc, label_carrier
     ORDER BY label_certificate, label_spc, label_carrier LIMIT {series_limit:UInt32}`,
    {
      ...conditions.parameters,
      from_s: Math.max(0, timesS[0]! - ALIVE_S - HOUR_S),
      to_s: Math.max(0, timesS.at(-1)!),
      series_limit: asking.limit + 1,
    },
  )
  const series = rows.map((row) => ({
    labels: {
      [METRIC_NAME]: CERTIFICATE_GAUGE,
      certificate: row.label_certificate,
      spc: row.label_spc,
      carrier: row.label_carrier,
    },
    values: timesS.map((atS) =>
      row.hours.some((hourS) => hourS < atS && hourS + HOUR_S + ALIVE_S > atS)
        ? Number(row.not_after_s) - atS
        : undefined,
    ),
  }))
  return {
    series: series.filter(({ values }) => values.some((value) => value !== undefined)),
    warnings: [],
  }
}
