/**
 * The worst hours of a week: where more attempts failed than the carrier's own mean of the week explains.
 *
 * Takes    the sums of the hours, in order.
 * Returns  those with the most excess failures first; `is_significant`: the interval of the hour's NER lies below that of the
 *          whole week.
 * Throws   nothing.
 */
import { wilsonInterval } from '../kpi/interval.js'
import { countOf, type Sums } from '../kpi/sums.js'
import { isoOf } from '../time-span.js'

const HOURS_SHOWN = 5

export interface WorstHour {
  from: string
  /** In the NER. */
  attempts: number
  failures: number
  ner: number
  excess_failures: number
  is_significant: boolean
}

export function worstHours(hours: readonly Sums[], fromS: number): WorstHour[] {
  const counts = hours.map((sums) => ({
    attempts: countOf(sums, 'ner_denominator'),
    failures: countOf(sums, 'ner_denominator') - countOf(sums, 'ner_numerator'),
  }))
  const attempts = counts.reduce((sum, hour) => sum + hour.attempts, 0)
  const failures = counts.reduce((sum, hour) => sum + hour.failures, 0)
  if (failures === 0) return []
  const weekLow = wilsonInterval(attempts - failures, attempts)![0]
  return counts
    .map((hour, index) => ({
      from: isoOf((fromS + index * 3_600) * 1e6),
      ...hour,
      ner: hour.attempts === 0 ? 1 : 1 - hour.failures / hour.attempts,
      excess_failures: hour.failures - (hour.attempts * failures) / attempts,
      is_significant: (wilsonInterval(hour.attempts - hour.failures, hour.attempts)?.[1] ?? 1) < weekLow,
    }))
    .filter(({ excess_failures }) => excess_failures > 0)
    .sort((a, b) => b.excess_failures - a.excess_failures || (a.from < b.from ? -1 : 1))
    .slice(0, HOURS_SHOWN)
}
