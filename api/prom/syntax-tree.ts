/**
 * What a PromQL text says, once it is known to be good: the subset of docs/promql.md and nothing else. Types and arity are
 * checked, parentheses are gone, a sign before a number is part of it or a negation.
 *
 * `at` is where the node's text begins, counted from 1.
 */
import type { Over, Selector } from './series.js'

export type ExprType = 'scalar' | 'vector' | 'matrix' | 'string'

interface Node<Kind extends string, Type extends ExprType> {
  kind: Kind
  type: Type
  at: number
  /** As it stands in the query. */
  text: string
}

export interface NumberExpr extends Node<'number', 'scalar'> {
  value: number
}

/** No function of the subset takes one: a string is only ever a type error, or the whole query. */
export interface StringExpr extends Node<'string', 'string'> {
  value: string
}

export interface SelectorExpr extends Node<'selector', 'vector'> {
  selector: Selector
  offsetS: number
  /** Also where it is 0: nothing may follow it. */
  offsetWritten: boolean
}

export interface RangeExpr extends Node<'range', 'matrix'> {
  selector: Selector
  offsetS: number
  offsetWritten: boolean
  windowS: number
}

/** `rate(x[5m])` and the like: one read of the store. */
export interface WindowExpr extends Node<'window', 'vector'> {
  over: Exclude<Over, 'last'>
  perSecond: boolean
  range: RangeExpr
}

export interface ClampExpr extends Node<'clamp', 'vector'> {
  side: 'min' | 'max'
  vector: Expr
  limit: Expr
}

export interface QuantileExpr extends Node<'histogram_quantile', 'vector'> {
  quantile: Expr
  buckets: Expr
}

export interface AbsentExpr extends Node<'absent', 'vector'> {
  vector: Expr
}

export interface VectorExpr extends Node<'vector', 'vector'> {
  scalar: Expr
}

export type AggregateOp = 'sum' | 'avg' | 'min' | 'max' | 'count' | 'topk'

export interface AggregateExpr extends Node<'aggregate', 'vector'> {
  op: AggregateOp
  /** With neither: by (). */
  grouping: { without: boolean; labels: readonly string[] }
  /** The k of topk. */
  parameter: Expr | undefined
  vector: Expr
}

export type ArithmeticOp = '+' | '-' | '*' | '/'
export type ComparisonOp = '==' | '!=' | '<' | '<=' | '>' | '>='
export type SetOp = 'and' | 'or' | 'unless'
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp

/** Which labels make two series a pair. Without a clause: ignoring (). */
export interface Matching {
  on: boolean
  labels: readonly string[]
}

export interface BinaryExpr extends Node<'binary', 'scalar' | 'vector'> {
  op: BinaryOp
  bool: boolean
  matching: Matching
  left: Expr
  right: Expr
}

export interface NegateExpr extends Node<'negate', 'scalar' | 'vector'> {
  operand: Expr
}

export type Expr =
  | NumberExpr
  | StringExpr
  | SelectorExpr
  | RangeExpr
  | WindowExpr
  | ClampExpr
  | QuantileExpr
  | AbsentExpr
  | VectorExpr
  | AggregateExpr
  | BinaryExpr
  | NegateExpr
