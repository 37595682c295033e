/**
 * Types and arity, which the grammar does not know: each function takes the parts of a node, already checked themselves, and
 * gives the node.
 *
 * Throws   PromError: `bad_data` for what no Prometheus would take, `execution` for functions and aggregations that are not
 *          answered here. What stands inside those is not looked at any more.
 * Source   prometheus/promql/parser/parse.go (checkAST), functions.go
 */
import { badData, quoted, unsupported } from './refusals.js'
import type { AggregateExpr, AggregateOp, BinaryOp, Expr, ExprType, Matching } from './syntax-tree.js'

export interface Place {
  at: number
  text: string
}

export interface Operator {
  op: BinaryOp
  bool: boolean
  matching: Matching
  at: number
}

const TYPE_NAMES: Readonly<Record<ExprType, string>> = {
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
}

/** The whole query. A range is a good answer to an instant query of Prometheus, and so is a string. */
export function topExpr(expr: Expr): Expr {
  if (expr.type === 'string') throw unsupported('string as the answer', expr.text, expr.at)
  return expr
}

const IS_COMPARISON = /^(?:==|!=|<=?|>=?)$/
const IS_SET_OPERATOR = /^(?:and|or|unless)$/

export function binaryExpr(operator: Operator, left: Expr, right: Expr, place: Place): Expr {
  const { op, bool, matching, at } = operator
  if (bool && !IS_COMPARISON.test(op))
    throw badData('bool modifier can only be used on comparison operators', at)
  for (const { type, at: operandAt } of [left, right]) {
    if (type === 'scalar' || type === 'vector') continue
    const found = `binary expression must contain only scalar and instant vector types, got ${TYPE_NAMES[type]}`
    throw badData(found, operandAt)
  }
  const scalars = [left, right].filter(({ type }) => type === 'scalar').length
  if (scalars > 0 && matching.labels.length > 0) {
    throw badData('vector matching only allowed between instant vectors', at)
  }
  if (scalars > 0 && IS_SET_OPERATOR.test(op)) {
    throw badData(`set operator "${op}" not allowed in binary scalar expression`, at)
  }
  if (scalars === 2 && IS_COMPARISON.test(op) && !bool) {
    throw badData('comparisons between scalars must use BOOL modifier', at)
  }
  const type = scalars === 2 ? 'scalar' : 'vector'
  return { kind: 'binary', type, ...place, op, bool, matching, left, right }
}

export function negateExpr(sign: string, operand: Expr, place: Place): Expr {
  const { type } = operand
  if (type !== 'scalar' && type !== 'vector') {
    const found = `unary expression only allowed on expressions of type scalar or instant vector, got ${TYPE_NAMES[type]}`
    throw badData(found, place.at)
  }
  if (operand.kind === 'number') {
    return { ...operand, ...place, value: sign === '-' ? -operand.value : operand.value }
  }
  return sign === '-' ? { kind: 'negate', type, ...place, operand } : operand
}

/** What each function takes. */
const SIGNATURES: Readonly<Record<string, readonly ExprType[]>> = {
  rate: ['matrix'],
  increase: ['matrix'],
  sum_over_time: ['matrix'],
  avg_over_time: ['matrix'],
  max_over_time: ['matrix'],
  histogram_quantile: ['scalar', 'vector'],
  vector: ['scalar'],
  absent: ['vector'],
  clamp_min: ['vector', 'scalar'],
  clamp_max: ['vector', 'scalar'],
}

const OVER = { sum_over_time: 'sum', avg_over_time: 'avg', max_over_time: 'max' } as const

export function callExpr(name: string, readArguments: () => Expr[], place: Place): Expr {
  const types = Object.hasOwn(SIGNATURES, name) ? SIGNATURES[name]! : undefined
  if (types === undefined) {
    throw unsupported(`function ${name}`, place.text, place.at, name === 'irate' ? 'use rate' : undefined)
  }
  const args = readArguments()
  if (args.length !== types.length) {
    const wanted = `expected ${types.length} argument(s) in call to "${name}", got ${args.length}`
    throw badData(wanted, place.at)
  }
  for (const [index, type] of types.entries()) expectType(args[index]!, type, `call to function "${name}"`)
  const node = { type: 'vector', ...place } as const
  const [first, second] = args as [Expr, Expr]
  switch (name) {
    case 'histogram_quantile':
      return { kind: 'histogram_quantile', ...node, quantile: first, buckets: second }
    case 'vector':
      return { kind: 'vector', ...node, scalar: first }
    case 'absent':
      return { kind: 'absent', ...node, vector: first }
    case 'clamp_min':
      return { kind: 'clamp', ...node, side: 'min', vector: first, limit: second }
    case 'clamp_max':
      return { kind: 'clamp', ...node, side: 'max', vector: first, limit: second }
    default: {
      if (first.kind !== 'range') throw unsupported('range that is no selector', first.text, first.at)
      const over = OVER[name as keyof typeof OVER] ?? 'increase'
      return { kind: 'window', ...node, over, perSecond: name === 'rate', range: first }
    }
  }
}

const AGGREGATIONS: ReadonlySet<string> = new Set<AggregateOp>(['sum', 'avg', 'min', 'max', 'count', 'topk'])

export function aggregateExpr(
  name: string,
  grouping: AggregateExpr['grouping'],
  readArguments: () => Expr[],
  place: Place,
): Expr {
  if (!AGGREGATIONS.has(name)) throw unsupported(`aggregation ${name}`, place.text, place.at)
  const op = name as AggregateOp
  const args = readArguments()
  const wanted = op === 'topk' ? 2 : 1
  if (args.length !== wanted) {
    const found = `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`
    throw badData(found, place.at)
  }
  const vector = args[wanted - 1]!
  const parameter = op === 'topk' ? args[0]! : undefined
  if (parameter !== undefined) expectType(parameter, 'scalar', 'aggregation parameter')
  expectType(vector, 'vector', 'aggregation expression')
  return { kind: 'aggregate', type: 'vector', ...place, op, grouping, parameter, vector }
}

function expectType({ type, at, text }: Expr, wanted: ExprType, where: string): void {
  if (type === wanted) return
  throw badData(
    `expected type ${TYPE_NAMES[wanted]} in ${where}, got ${TYPE_NAMES[type]} ${quoted(text)}`,
    at,
  )
}
