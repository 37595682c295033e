/**
 * What an expression reads of the store, equal selectors once, and how much there is to work out with it.
 *
 * The arithmetic runs in one go, and while it runs nobody else is answered: an expression of many selectors, each within the
 * bounds of its own, is refused before it begins.
 *
 * Throws   PromError `execution` for too much work, and what the source throws.
 */
import { PromError } from './prom-error.js'
import type { Grid, Series, SeriesAnswer, SeriesRequest, SeriesSource } from './series.js'
import type { Expr, SelectorExpr, WindowExpr } from './syntax-tree.js'
import { gridPoints, MINUTE_S } from './windows.js'

/** Values times the operations they go through: about a second. */
const STEPS_MAX = 10_000_000
/** So that what is too much is not all read first. */
const READS_AT_ONCE = 4

type ReadExpr = SelectorExpr | WindowExpr

interface Read extends SeriesRequest {
  /** The window as written. */
  askedS: number | undefined
  /** How many operations each of its values goes through, wherever in the expression it stands. */
  operations: number
}

/** By `readKey`: the series of each selector. */
export async function readAll(
  expr: Expr,
  grid: Grid,
  source: SeriesSource,
): Promise<{ series: Map<string, Series[]>; warnings: string[] }> {
  const reads = readsOf(expr, grid)
  const entries = [...reads]
  const points = gridPoints(grid).length
  const series = new Map<string, Series[]>()
  const warnings = new Set(shortWindows(reads))
  let steps = 0
  for (let at = 0; at < entries.length; at += READS_AT_ONCE) {
    const some = entries.slice(at, at + READS_AT_ONCE)
    const answers: SeriesAnswer[] = await Promise.all(some.map(([, read]) => source.read(read)))
    for (const [index, [key, read]] of some.entries()) {
      const answer = answers[index]!
      series.set(key, answer.series)
      steps += answer.series.length * points * read.operations
      for (const warning of answer.warnings) warnings.add(warning)
    }
    if (steps > STEPS_MAX) throw tooMuch(steps)
  }
  return { series, warnings: [...warnings] }
}

function tooMuch(steps: number): PromError {
  return new PromError(
    'execution',
    `too much to work out: ${steps} values in the parts of this query, ${STEPS_MAX} are answered; ` +
      'ask for fewer series, a shorter range or a larger step',
  )
}

function readsOf(expr: Expr, grid: Grid): Map<string, Read> {
  const reads = new Map<string, Read>()
  const visit = (part: Expr, operations: number) => {
    if (part.kind === 'selector' || part.kind === 'window') {
      const key = readKey(part)
      const read = reads.get(key) ?? readOf(part, grid)
      read.operations += operations
      reads.set(key, read)
    } else {
      for (const inner of partsOf(part)) visit(inner, operations + 1)
    }
  }
  visit(expr, 1)
  return reads
}

/** Scalars of the subset are made of numbers alone. */
function partsOf(expr: Exclude<Expr, ReadExpr>): Expr[] {
  switch (expr.kind) {
    case 'aggregate':
    case 'absent':
      return [expr.vector]
    case 'binary':
      return [expr.left, expr.right]
    case 'negate':
      return [expr.operand]
    case 'clamp':
      return [expr.vector]
    case 'histogram_quantile':
      return [expr.buckets]
    default:
      return []
  }
}

function readOf(expr: ReadExpr, grid: Grid): Read {
  if (expr.kind === 'selector') {
    const { selector, offsetS } = expr
    return { selector, grid, offsetS, windowS: undefined, over: 'last', askedS: undefined, operations: 0 }
  }
  const { selector, offsetS, windowS: askedS } = expr.range
  const windowS = answeredWindowS(askedS)
  return { selector, grid, offsetS, windowS, over: expr.over, askedS, operations: 0 }
}

/** Minutes are the finest that is stored. */
export function answeredWindowS(windowS: number): number {
  return Math.max(windowS, MINUTE_S)
}

function shortWindows(reads: ReadonlyMap<string, Read>): string[] {
  return [...reads.values()]
    .filter(({ askedS, windowS }) => askedS !== windowS)
    .map(({ askedS }) => `the window [${askedS}s] is answered as [1m]: minutes are the finest that is stored`)
}

/** Where the selector stands does not matter, nor does the order of its matchers. */
export function readKey(expr: ReadExpr): string {
  const { selector, offsetS } = expr.kind === 'selector' ? expr : expr.range
  const matchers = selector.matchers.map(({ label, op, value }) => JSON.stringify([label, op, value])).sort()
  const how = expr.kind === 'selector' ? ['last'] : [expr.over, answeredWindowS(expr.range.windowS)]
  return JSON.stringify([selector.metric ?? null, matchers, offsetS, how])
}
