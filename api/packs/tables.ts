/** The tables of a pack as CSV, safe for spreadsheets (scorecards/csv.ts). */
import { wilsonInterval } from '../kpi/interval.js'
import { csvOf } from '../scorecards/csv.js'
import type { PackContents } from './contents.js'
import type { Count } from './counts.js'

export function countsCsv(counts: readonly Count[]): string {
  return csvOf([
    ['section', 'key', 'attempts', 'failures', 'ratio', 'low', 'high'],
    ...counts.map(({ section, key, attempts, failures }) => {
      // All attempts of a class failed: a ratio says nothing there.
      const [low, high] = (section === 'class' ? null : wilsonInterval(failures, attempts)) ?? []
      return [section, key, attempts, failures, low === undefined ? null : failures / attempts, low, high]
    }),
  ])
}

export function scorecardCsv({ rows, tokens, targets }: PackContents): string {
  return csvOf([
    [
      'section',
      'id',
      'name',
      'unit',
      'value',
      'numerator',
      'denominator',
      'excluded',
      'low',
      'high',
      'note',
      'version',
    ],
    ...[...rows, ...tokens.rows].map((row) => [
      'number',
      row.id,
      row.name,
      row.unit,
      row.value,
      row.numerator,
      row.denominator ?? row.count,
      row.excluded,
      row.interval?.[0],
      row.interval?.[1],
      [row.reason?.replaceAll('_', ' ') ?? '', row.low_confidence ? 'low confidence' : '']
        .filter(Boolean)
        .join('; '),
      row.version,
    ]),
    ...targets.map((target) => [
      'target',
      target.target,
      target.name,
      target.unit,
      target.delivered,
      null,
      null,
      null,
      null,
      null,
      `promised ${target.bound === 'at_least' ? 'at least' : 'at most'} ${target.promised}: ${target.status.replaceAll('_', ' ')}${target.is_certain ? ' for certain' : ''}`,
      null,
    ]),
  ])
}

export function tapCsv({ tap }: PackContents): string {
  const columns = [
    'agent',
    'sip_messages',
    'refused',
    'unreadable',
    'truncated',
    'timestamps_replaced',
    'minutes_without_sip',
    'verdict_at_end',
    'why',
  ] as const
  return csvOf([columns, ...(tap ?? []).map((agent) => columns.map((column) => agent[column]))])
}
