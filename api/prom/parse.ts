/**
 * PromQL, from text to a tree that can be evaluated.
 *
 * The grammar is Prometheus' own for editors, and it is only that: it never throws, checks no types, and hangs `offset` and
 * `[5m]` on the whole of `a + b` instead of on b. So it says whether a text is well formed and where its parts are; the
 * order of operators and the types are settled here, as in Prometheus' parser.
 *
 * Takes    the text of a query, from outside.
 * Throws   PromError: `bad_data` (400) where Prometheus refuses the text, `execution` (422) where it does not and we do;
 *          the sentence names the part and its place.
 * Source   prometheus/promql/parser/generated_parser.y (order of operators), parse.go (types); docs/promql.md
 */
import type { SyntaxNode, Tree } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'
import { aggregateExpr, binaryExpr, callExpr, negateExpr, topExpr } from './checks.js'
import { durationSOf, numberOf, stringOf } from './literals.js'
import { PromError } from './prom-error.js'
import { badData, quoted, unsupported } from './refusals.js'
import { selectorOf } from './selectors.js'
import type { BinaryOp, Expr, Matching } from './syntax-tree.js'

const TEXT_LENGTH_MAX = 32_768
/** Of nodes in one another: the way down is recursive. A chain of additions is as deep as it is long. */
const DEPTH_MAX = 250
const SELECTORS_MAX = 50

export function parsePromql(text: string): Expr {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new PromError('bad_data', `a query of ${text.length} characters; ${TEXT_LENGTH_MAX} are answered`)
  }
  const tree = treeOf(text)
  refuseErrors(text, tree)
  return topExpr(exprOf(text, partsOf(tree.topNode)[0]!))
}

/** The tree is put together recursively, and some thousands of brackets use up the stack. Nothing is left behind then. */
function treeOf(text: string): Tree {
  try {
    return parser.parse(text)
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(`depth above ${DEPTH_MAX}`, text, 1)
    throw error
  }
}

function refuseErrors(text: string, tree: Tree): void {
  let depth = 0
  let deepest = 0
  let selectors = 0
  let errorAt: number | undefined
  tree.iterate({
    enter(node) {
      depth += 1
      deepest = Math.max(deepest, depth)
      if (node.name === 'VectorSelector') selectors += 1
      if (node.type.isError) errorAt ??= node.from
    },
    leave() {
      depth -= 1
    },
  })
  if (errorAt !== undefined) {
    const [unexpected] = /^\s*\$*[\w:.]+|^\s*\S/.exec(text.slice(errorAt)) ?? []
    const found = unexpected === undefined ? 'end of query' : quoted(unexpected.trim())
    throw badData(`unexpected ${found}`, errorAt + 1 + (unexpected?.search(/\S/) ?? 0))
  }
  const tooMuch = deepest > DEPTH_MAX ? `depth above ${DEPTH_MAX}` : `${selectors} selectors`
  if (deepest > DEPTH_MAX || selectors > SELECTORS_MAX) throw unsupported(tooMuch, text, 1)
}

/** Comments may stand anywhere. */
function partsOf(node: SyntaxNode): SyntaxNode[] {
  const parts: SyntaxNode[] = []
  for (let part = node.firstChild; part !== null; part = part.nextSibling) {
    if (part.name !== 'LineComment') parts.push(part)
  }
  return parts
}

/** A run of operands and operators without parentheses, as it stands in the text. */
type Piece =
  | { kind: 'operand'; node: SyntaxNode }
  | { kind: 'sign'; sign: string; from: number }
  | { kind: 'suffix'; node: SyntaxNode }
  | { kind: 'operator'; op: SyntaxNode; bool: boolean; matching: SyntaxNode | null }

const SUFFIXES: ReadonlySet<string> = new Set([
  'MatrixSelector',
  'OffsetExpr',
  'SubqueryExpr',
  'StepInvariantExpr',
  'AnchoredExpr',
  'SmoothedExpr',
])

/** Whatever the grammar hung where: from left to right the pieces are the same. */
function piecesOf(text: string, node: SyntaxNode): Piece[] {
  if (node.name === 'BinaryExpr') {
    const parts = partsOf(node)
    const op = parts[1]!
    const fill = node.getChild('FillModifier')
    if (fill !== null) throw unsupported('fill modifier', text.slice(fill.from, fill.to), fill.from + 1)
    const bool = node.getChild('BoolModifier') !== null
    const matching = node.getChild('MatchingModifierClause')
    return [
      ...piecesOf(text, parts[0]!),
      { kind: 'operator', op, bool, matching },
      ...piecesOf(text, parts.at(-1)!),
    ]
  }
  if (node.name === 'UnaryExpr') {
    const [sign, operand] = partsOf(node) as [SyntaxNode, SyntaxNode]
    return [
      { kind: 'sign', sign: text.slice(sign.from, sign.to), from: sign.from },
      ...piecesOf(text, operand),
    ]
  }
  if (SUFFIXES.has(node.name)) return [...piecesOf(text, partsOf(node)[0]!), { kind: 'suffix', node }]
  return [{ kind: 'operand', node }]
}

/** An expression and where it stands with its parentheses. */
interface Written {
  expr: Expr
  from: number
  to: number
}

function exprOf(text: string, node: SyntaxNode): Expr {
  return new OperatorOrder(text, piecesOf(text, node)).expression(0).expr
}

/** Higher binds closer; a sign binds as `*` does, suffixes closest. */
const STRENGTHS: Readonly<Record<BinaryOp, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
}
const SIGN_STRENGTH = 5

class OperatorOrder {
  readonly #text: string
  readonly #pieces: readonly Piece[]
  #next = 0

  constructor(text: string, pieces: readonly Piece[]) {
    this.#text = text
    this.#pieces = pieces
  }

  expression(weakest: number): Written {
    let left = this.#operand()
    for (;;) {
      const piece = this.#pieces[this.#next]
      if (piece?.kind !== 'operator') return left
      const op = this.#text.slice(piece.op.from, piece.op.to).toLowerCase()
      const strength = Object.hasOwn(STRENGTHS, op) ? STRENGTHS[op as BinaryOp] : undefined
      if (strength === undefined) throw unsupported('operator', op, piece.op.from + 1)
      if (strength < weakest) return left
      this.#next += 1
      const right = this.expression(strength + 1)
      const operator = {
        op: op as BinaryOp,
        bool: piece.bool,
        matching: matchingOf(this.#text, op, piece.matching),
        at: piece.op.from + 1,
      }
      const text = this.#text.slice(left.from, right.to)
      const expr = binaryExpr(operator, left.expr, right.expr, { at: left.from + 1, text })
      left = { expr, from: left.from, to: right.to }
    }
  }

  #operand(): Written {
    const piece = this.#pieces[this.#next]!
    this.#next += 1
    if (piece.kind === 'sign') {
      const { expr, to } = this.expression(SIGN_STRENGTH + 1)
      const place = { at: piece.from + 1, text: this.#text.slice(piece.from, to) }
      return { expr: negateExpr(piece.sign, expr, place), from: piece.from, to }
    }
    const { node } = piece as Extract<Piece, { kind: 'operand' }>
    let expr = plainExpr(this.#text, node)
    let to = node.to
    for (;;) {
      const suffix = this.#pieces[this.#next]
      if (suffix?.kind !== 'suffix') return { expr, from: node.from, to }
      this.#next += 1
      to = suffix.node.to
      const isSelector = node.name === 'VectorSelector'
      expr = withSuffix(this.#text, expr, suffix.node, this.#text.slice(node.from, to), isSelector)
    }
  }
}

function matchingOf(text: string, op: string, clause: SyntaxNode | null): Matching {
  if (clause === null) return { on: false, labels: [] }
  const grouped = clause.getChild('GroupLeft') ?? clause.getChild('GroupRight')
  if (grouped !== null) {
    if (/^(?:and|or|unless)$/.test(op)) {
      throw badData(`no grouping allowed for "${op}" operation`, grouped.from + 1)
    }
    const name = text.slice(grouped.from, grouped.to).toLowerCase()
    throw unsupported(name, text.slice(clause.from, clause.to), clause.from + 1)
  }
  return { on: clause.getChild('On') !== null, labels: labelsOf(text, clause) }
}

/** `[5m]`, `offset 1h` and others that stand behind their operand. */
function withSuffix(
  text: string,
  expr: Expr,
  suffix: SyntaxNode,
  written: string,
  isSelector: boolean,
): Expr {
  if (suffix.name === 'MatrixSelector') {
    if (!isSelector || expr.kind !== 'selector') {
      throw badData('ranges only allowed for vector selectors', expr.at)
    }
    if (expr.offsetWritten) {
      throw badData('no offset modifiers allowed before range', expr.at)
    }
    return {
      kind: 'range',
      type: 'matrix',
      at: expr.at,
      text: written,
      selector: expr.selector,
      offsetS: 0,
      windowS: windowSOf(text, suffix.getChild('DurationExpr')!),
      offsetWritten: false,
    }
  }
  if (suffix.name === 'OffsetExpr') {
    if (!isSelector || (expr.kind !== 'selector' && expr.kind !== 'range')) {
      throw badData('offset modifier must be preceded by an instant or range vector selector', expr.at)
    }
    if (expr.offsetWritten) throw badData('offset may not be set multiple times', expr.at)
    const offsetS = offsetSOf(text, suffix.getChild('OffsetDurationExpr')!)
    return { ...expr, text: written, offsetS, offsetWritten: true }
  }
  throw unsupported(SUFFIX_NAMES[suffix.name] ?? suffix.name, written, expr.at)
}

const SUFFIX_NAMES: Readonly<Record<string, string>> = {
  SubqueryExpr: 'subquery',
  StepInvariantExpr: '@ modifier',
  AnchoredExpr: 'anchored modifier',
  SmoothedExpr: 'smoothed modifier',
}

function windowSOf(text: string, node: SyntaxNode): number {
  const literal = node.firstChild
  const isLiteral = literal?.name === 'NumberDurationLiteralInDurationContext' && literal.nextSibling === null
  // With parentheses the literal is shorter than the expression.
  if (!isLiteral || literal.from !== node.from || literal.to !== node.to) {
    throw badData(`not a duration: ${quoted(text.slice(node.from, node.to))}`, node.from + 1)
  }
  const windowS = durationSOf(text.slice(node.from, node.to), node.from + 1)
  if (windowS === 0) throw badData('duration must be greater than 0', node.from + 1)
  return windowS
}

function offsetSOf(text: string, node: SyntaxNode): number {
  const sign = node.getChild('UnaryOp')
  const literal = (sign === null ? node : node.getChild('OffsetDurationExpr'))?.firstChild
  if (literal?.name !== 'NumberDurationLiteralInDurationContext' || literal.to !== node.to) {
    throw badData(`not a duration: ${quoted(text.slice(node.from, node.to))}`, node.from + 1)
  }
  const offsetS = durationSOf(text.slice(literal.from, literal.to), literal.from + 1)
  return sign !== null && text.slice(sign.from, sign.to) === '-' ? -offsetS : offsetS
}

function plainExpr(text: string, node: SyntaxNode): Expr {
  const place = { at: node.from + 1, text: text.slice(node.from, node.to) }
  switch (node.name) {
    case 'ParenExpr':
      return exprOf(text, partsOf(node)[0]!)
    case 'NumberDurationLiteral':
      return { kind: 'number', type: 'scalar', ...place, value: numberOf(place.text, place.at) }
    case 'StringLiteral':
      return { kind: 'string', type: 'string', ...place, value: stringOf(place.text, place.at) }
    case 'VectorSelector': {
      const selector = selectorOf(text, node)
      return { kind: 'selector', type: 'vector', ...place, selector, offsetS: 0, offsetWritten: false }
    }
    case 'FunctionCall': {
      const name = node.getChild('FunctionIdentifier')!
      return callExpr(text.slice(name.from, name.to), () => argumentsOf(text, node), place)
    }
    case 'AggregateExpr': {
      const op = node.getChild('AggregateOp')!
      const modifier = node.getChild('AggregateModifier')
      const grouping = {
        without: modifier !== null && modifier.getChild('Without') !== null,
        labels: modifier === null ? [] : labelsOf(text, modifier),
      }
      const name = text.slice(op.from, op.to).toLowerCase()
      return aggregateExpr(name, grouping, () => argumentsOf(text, node), place)
    }
    default:
      throw unsupported(node.name, place.text, place.at)
  }
}

function argumentsOf(text: string, call: SyntaxNode): Expr[] {
  return partsOf(call.getChild('FunctionCallBody')!).map((node) => exprOf(text, node))
}

function labelsOf(text: string, node: SyntaxNode): string[] {
  const names = node.getChild('GroupingLabels')!
  const quotedName = names.getChild('QuotedLabelName')
  if (quotedName !== null) {
    throw unsupported('quoted name', text.slice(quotedName.from, quotedName.to), quotedName.from + 1)
  }
  return names.getChildren('LabelName').map(({ from, to }) => text.slice(from, to))
}
