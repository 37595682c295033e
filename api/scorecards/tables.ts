/**
 * Scorecards as one table each, a line a number, for a spreadsheet: the same columns in every line, so that weeks and
 * carriers can be put under one another.
 */
import { type Cell, csvOf } from './csv.js'
import type { Scorecard, ScorecardRow, Scorecards } from './scorecard.js'

const COLUMNS = [
  'week',
  'carrier',
  'section',
  'id',
  'name',
  'site',
  'direction',
  'unit',
  'value',
  'numerator',
  'denominator',
  'excluded',
  'low',
  'high',
  'low_confidence',
  'note',
  'previous',
  'difference',
  'change',
  'version',
] as const
type Line = Partial<Record<(typeof COLUMNS)[number], Cell>>

function csvOfLines(lines: readonly Line[]): string {
  return csvOf([COLUMNS, ...lines.map((line) => COLUMNS.map((column) => line[column]))])
}

export function scorecardCsv(card: Scorecard): string {
  const of = (section: string, line: Line): Line => ({
    week: card.week.id,
    carrier: card.carrier.id,
    section,
    ...line,
  })
  return csvOfLines([
    of('grade', gradeLine(card)),
    ...card.rows.map((row) => of('week', rowLine(row))),
    ...card.targets.map(({ target, name, unit, promised, delivered, bound, status, is_certain }) =>
      of('target', {
        id: target,
        name,
        unit,
        value: delivered,
        previous: promised,
        note: `${bound === 'at_least' ? 'promised at least' : 'promised at most'}, ${status}${is_certain ? ', certain' : ''}`,
      }),
    ),
    ...card.groups.flatMap(({ site, direction, rows }) =>
      rows.map((row) => of('group', { ...measuredLine(row), site, direction })),
    ),
    ...(['most_attempts', 'most_failures'] as const).flatMap((list) =>
      (card.destinations?.[list] ?? []).map((entry) =>
        of(list, {
          id: entry.prefix,
          unit: 'count',
          value: list === 'most_attempts' ? entry.attempts : entry.excess_failures,
          numerator: entry.failures,
          denominator: entry.ner_attempts,
          note: entry.is_significant ? 'below the carrier mean, significant' : '',
        }),
      ),
    ),
    ...Object.entries(card.attestations).map(([level, count]) =>
      of('attestation', { id: level, unit: 'count', value: count }),
    ),
    ...card.worst_hours.map((hour) =>
      of('worst_hour', {
        id: hour.from,
        unit: 'count',
        value: hour.excess_failures,
        numerator: hour.failures,
        denominator: hour.attempts,
        note: hour.is_significant ? 'significant' : '',
      }),
    ),
    ...card.budgets.map((budget) =>
      of('budget', {
        id: budget.slo,
        name: budget.name,
        site: budget.site,
        unit: 'ratio',
        value: budget.left_ratio,
        numerator: budget.bad,
        denominator: budget.valid,
        note: budget.cannot_be_shown ? 'too few attempts to show the objective' : '',
      }),
    ),
    of('count', { id: 'open', unit: 'count', value: card.counts.open }),
    of('count', { id: 'incomplete', unit: 'count', value: card.counts.incomplete }),
    ...card.not_measured.map(({ id, name, why }) => of('not_measured', { id, name, note: why })),
  ])
}

export function scorecardsCsv(cards: Scorecards): string {
  return csvOfLines(
    cards.carriers.flatMap((line) => {
      const of = (section: string, more: Line): Line => ({
        week: cards.week.id,
        carrier: line.carrier.id,
        section,
        ...more,
      })
      return [
        of('grade', gradeLine(line)),
        ...line.rows.map((row) => of('week', rowLine(row))),
        ...(line.shared === null
          ? []
          : [
              of('shared', {
                id: 'ner',
                name: 'NER on shared prefixes',
                unit: 'ratio',
                value: line.shared.ner,
                denominator: line.shared.attempts,
                low: line.shared.interval[0],
                high: line.shared.interval[1],
                previous: line.shared.expected_ner,
                note: 'previous: as expected from the other carriers',
              }),
            ]),
      ]
    }),
  )
}

function gradeLine({ grade, has_traffic }: Pick<Scorecard, 'grade' | 'has_traffic'>): Line {
  return {
    id: 'grade',
    value: grade.grade,
    low: grade.ner_low,
    denominator: grade.attempts,
    low_confidence: grade.confidence === 'low',
    note: has_traffic ? grade.why : 'no traffic',
  }
}

function rowLine(row: ScorecardRow): Line {
  return {
    ...measuredLine(row),
    name: row.name,
    previous: row.previous.value,
    difference: row.difference,
    change: row.change,
    version: row.version,
  }
}

function measuredLine(row: Scorecard['groups'][number]['rows'][number]): Line {
  return {
    id: row.id,
    unit: row.unit,
    value: row.value,
    numerator: row.numerator,
    denominator: row.denominator ?? row.count,
    excluded: row.excluded,
    low: row.interval?.[0],
    high: row.interval?.[1],
    low_confidence: row.low_confidence,
    note: row.reason?.replaceAll('_', ' '),
  }
}
