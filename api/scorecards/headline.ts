/** What is told of a scorecard: its grade, its headline numbers with their intervals, and a line for people. Pure. */
import type {
  HeadlineGrade,
  HeadlineRow,
  ScorecardDocument,
  ScorecardHeadline,
} from '../../schemas/alert-hook.js'
import { intervalText, valueText } from '../page/scorecard-parts.js'
import { BRIEF_ROWS } from './rows.js'
import type { CarrierLine, Scorecard, ScorecardRow, Scorecards } from './scorecard.js'

type Omitted = ScorecardHeadline['omitted']

export function headlineOf(card: Scorecard, omitted: Omitted): ScorecardHeadline {
  const { carrier, has_traffic } = card
  return {
    week: card.week,
    as_of: card.as_of,
    carrier: { id: carrier.id, name: carrier.name, has_traffic, ...gradeOf(card) },
    rows: card.rows.filter(({ id }) => BRIEF_ROWS.includes(id)).map(rowOf),
    carriers: [],
    omitted,
  }
}

export function headlineOfAll(cards: Scorecards, omitted: Omitted): ScorecardHeadline {
  return {
    week: cards.week,
    as_of: cards.as_of,
    carrier: null,
    rows: [],
    carriers: cards.carriers.map((line) => {
      const ner = line.rows.find(({ id }) => id === 'ner')
      return {
        id: line.carrier.id,
        name: line.carrier.name,
        has_traffic: line.has_traffic,
        ner: ner === undefined ? null : rowOf(ner),
        ...gradeOf(line),
      }
    }),
    omitted,
  }
}

function gradeOf({ grade, previous_grade }: Pick<CarrierLine, 'grade' | 'previous_grade'>): HeadlineGrade {
  return {
    grade: grade.grade,
    confidence: grade.confidence,
    previous_grade: previous_grade.grade,
    why: grade.why,
  }
}

function rowOf(row: ScorecardRow): HeadlineRow {
  return {
    id: row.id,
    name: row.name,
    unit: row.unit,
    value: row.value,
    interval: row.interval,
    low_confidence: row.low_confidence,
    ...(row.reason === undefined ? {} : { reason: row.reason }),
    previous: row.previous.value,
    change: row.change,
  }
}

/** "Alpha Telecom, 2026-W47: grade B; NER 97.1 % (96.0 % to 98.0 %), …" */
export function summaryOf({ carrier, carriers, rows, week, omitted }: ScorecardHeadline): string {
  const doubt = week.is_complete ? '' : ' (the week is not complete)'
  const without = omitted.map(({ format, why }) => ` Without ${format}: ${why}.`).join('')
  if (carrier === null) {
    const grades = carriers.slice(0, 30).map(({ name, ...line }) => `${name} ${gradeWords(line)}`)
    const more = carriers.length > grades.length ? [`and ${carriers.length - grades.length} more`] : []
    const list = [...grades, ...more].join(', ')
    return `All carriers, ${week.id}${doubt}: ${list === '' ? 'there is none' : list}.${without}`
  }
  const told = carrier.has_traffic ? rows.filter(({ id }) => TOLD.includes(id)).map(rowWords) : []
  return `${carrier.name}, ${week.id}${doubt}: ${[gradeWords(carrier), ...told].join('; ')}.${without}`
}

/** In a line; the rest stands in the notice and in the document. */
const TOLD: readonly string[] = ['attempts', 'ner', 'asr', 'pdd_p95']

function gradeWords({ grade, confidence, has_traffic }: HeadlineGrade & { has_traffic: boolean }): string {
  if (!has_traffic) return 'no traffic'
  if (grade === 'NR') return 'not rated'
  return confidence === 'low' ? `grade ${grade}, low confidence` : `grade ${grade}`
}

function rowWords({ name, unit, value, interval, reason }: HeadlineRow): string {
  // Both are as the scorecard has them.
  const row = { unit, value, reason, interval } as Pick<
    ScorecardRow,
    'unit' | 'value' | 'reason' | 'interval'
  >
  const within = intervalText(row)
  return `${name} ${valueText(row)}${within === '' ? '' : ` (${within})`}`
}

/** For the link of a notice: what a person reads, if it was made. */
export function mainDocument(documents: readonly ScorecardDocument[]): ScorecardDocument | undefined {
  const of = (format: string) => documents.find((document) => document.format === format)
  return of('html') ?? of('pdf') ?? documents[0]
}
