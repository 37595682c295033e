/** Answers of the query API and of our evaluator in one form, to be compared. */
import type { Grid } from '../../../api/prom/series.js'
import type { PromBody, Prometheus } from '../../support/prometheus.js'

const RELATIVE_MAX = 1e-9
/** Of differences that are 0 but for rounding. */
const ABSOLUTE_MAX = 1e-11

/** One point of one series is worth `values.get('[["carrier","alpha"]]')[point]`. A scalar is a series without labels. */
export type Answer =
  | { refusal: string }
  | { type: string; labels: string[]; values: Map<string, (number | undefined)[]> }

interface BodySeries {
  metric: Record<string, string>
  value?: [number, string]
  values?: [number, string][]
}

/** Prometheus 2.x counts a sample at the far edge of a window in. */
function closedAtBothEnds(expression: string): string {
  return expression.replaceAll(
    /(_over_time\([^[]*\[)(?:(\d+)m|1h)\]/g,
    (_, head: string, windowMin = '60') => `${head}${Number(windowMin) * 60 - 1}s]`,
  )
}

/** The parameters of a question, and the call that takes them. */
export function questionOf(query: string, { startS, endS, stepS }: Grid): [string, Record<string, string>] {
  return startS === endS
    ? ['query', { query, time: String(startS) }]
    : ['query_range', { query, start: String(startS), end: String(endS), step: String(stepS) }]
}

export async function askPrometheus(prometheus: Prometheus, expression: string, grid: Grid): Promise<Answer> {
  const { status, body } = await prometheus.get(...questionOf(closedAtBothEnds(expression), grid))
  return answerOfBody(status, body, grid)
}

export function answerOfBody(status: number, body: PromBody, grid: Grid): Answer {
  if (body.data === undefined) return { refusal: `${status} ${body.errorType}: ${body.error}` }
  if (body.data.resultType === 'scalar') {
    const [, value] = body.data.result as [number, string]
    return answerOf('scalar', [{ labels: {}, values: [numberOf(value)] }])
  }
  const points = (grid.endS - grid.startS) / grid.stepS + 1
  const series = (body.data.result as BodySeries[]).map(({ metric, value, values }) => {
    const found = new Array<number | undefined>(points).fill(undefined)
    for (const [atS, text] of values ?? [value!]) found[(atS - grid.startS) / grid.stepS] = numberOf(text)
    return { labels: metric, values: found }
  })
  return answerOf('vector', series)
}

const numberOf = (text: string) => Number(text.replace('Inf', 'Infinity'))

export function answerOf(
  type: string,
  series: readonly { labels: Readonly<Record<string, string>>; values: readonly (number | undefined)[] }[],
): Answer {
  const keyed = series.map(({ labels, values }): [string, (number | undefined)[]] => [
    JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    [...values],
  ])
  return { type, labels: keyed.map(([key]) => key), values: new Map(keyed) }
}

function isEqual(ours: Answer, theirs: Answer): boolean {
  if ('refusal' in ours || 'refusal' in theirs) {
    return 'refusal' in ours && 'refusal' in theirs && ours.refusal.slice(0, 3) === theirs.refusal.slice(0, 3)
  }
  // Over a range a scalar comes as a series there.
  if (theirs.type === 'scalar' && ours.type !== 'scalar') return false
  if (ours.values.size !== ours.labels.length || ours.values.size !== theirs.values.size) return false
  return [...theirs.values].every(([labels, values]) => {
    const found = ours.values.get(labels)
    return found?.length === values.length && values.every((value, point) => isClose(found[point], value))
  })
}

function isClose(ours: number | undefined, theirs: number | undefined): boolean {
  if (ours === undefined || theirs === undefined) return ours === theirs
  if (Object.is(ours, theirs) || ours === theirs) return true
  const apart = Math.abs(ours - theirs)
  return apart <= Math.max(Math.abs(ours), Math.abs(theirs)) * RELATIVE_MAX || apart <= ABSOLUTE_MAX
}

export function difference(expression: string, ours: Answer, theirs: Answer): string {
  return `${expression}\n  ours:       ${shown(ours)}\n  Prometheus: ${shown(theirs)}`
}

type Ask = (expression: string) => Promise<Answer>

/** Throws with the expressions that are answered differently, and both answers. */
export async function compareAll(expressions: readonly string[], askOurs: Ask, askTheirs: Ask) {
  const seen = { withSeries: 0, refused: 0 }
  const differences: string[] = []
  for (const expression of expressions) {
    const [ours, theirs] = await Promise.all([askOurs(expression), askTheirs(expression)])
    if (!isEqual(ours, theirs)) differences.push(difference(expression, ours, theirs))
    if ('refusal' in theirs) seen.refused += 1
    else if (theirs.labels.length > 0) seen.withSeries += 1
  }
  if (differences.length > 0) {
    throw new Error(
      `${differences.length} of ${expressions.length}:\n\n${differences.slice(0, 5).join('\n\n')}`,
    )
  }
  return seen
}

function shown(answer: Answer): string {
  if ('refusal' in answer) return answer.refusal
  const rows = [...answer.values].map(
    ([labels, values]) => `${labels} ${values.map((one) => one ?? '–').join(' ')}`,
  )
  return `${answer.type}\n    ${rows.join('\n    ')}`.slice(0, 1_500)
}
