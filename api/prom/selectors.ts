/**
 * `name{label="value", …}` from the tree of the grammar. The matchers travel to the store as they are; here they are only
 * checked.
 *
 * Throws   PromError `bad_data`: a selector needs one matcher that refuses the empty value, or it would ask for everything.
 */
import type { SyntaxNode } from '@lezer/common'
import { matchesEmpty } from './empty-match.js'
import { METRIC_NAME } from './labels.js'
import { stringOf } from './literals.js'
import { badData, unsupported } from './refusals.js'
import type { Matcher, Selector } from './series.js'

export function selectorOf(query: string, node: SyntaxNode): Selector {
  const at = node.from + 1
  const name = node.getChild('Identifier')
  const metric = name === null ? undefined : query.slice(name.from, name.to)
  const matchers = (node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []).map(
    (matcher) => matcherOf(query, matcher),
  )
  for (const kind of ['QuotedLabelName', 'QuotedLabelMatcher']) {
    const quotedName = node.getChild('LabelMatchers')?.getChild(kind)
    if (quotedName == null) continue
    throw unsupported('quoted name', query.slice(quotedName.from, quotedName.to), quotedName.from + 1)
  }
  const second = matchers.find(({ matcher }) => matcher.label === METRIC_NAME)
  if (metric !== undefined && second !== undefined) {
    throw badData(`metric name must not be set twice: "${metric}" or "${second.matcher.value}"`, at)
  }
  // Not in the test below alone: every expression is to be looked at.
  const refusesEmpty = matchers.map(({ matcher, valueAt }) => !takesEmpty(matcher, valueAt)).includes(true)
  if (metric === undefined && !refusesEmpty) {
    throw badData('vector selector must contain at least one matcher that refuses the empty value', at)
  }
  return { metric, matchers: matchers.map(({ matcher }) => matcher), at }
}

function matcherOf(query: string, node: SyntaxNode): { matcher: Matcher; valueAt: number } {
  const [label, op, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((kind) => node.getChild(kind)!)
  return {
    matcher: {
      label: query.slice(label!.from, label!.to),
      op: query.slice(op!.from, op!.to) as Matcher['op'],
      value: stringOf(query.slice(value!.from, value!.to), value!.from + 1),
    },
    valueAt: value!.from + 1,
  }
}

function takesEmpty({ op, value }: Matcher, at: number): boolean {
  switch (op) {
    case '=':
      return value === ''
    case '!=':
      return value !== ''
    case '=~':
      return matchesEmpty(value, at)
    case '!~':
      return !matchesEmpty(value, at)
  }
}
