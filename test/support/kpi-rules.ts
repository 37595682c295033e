/**
 * The `rule` statement of .kpi files: which calls of the file show a rule code, which do not, and which of them lie at its limit.
 * `test/kpi.test.ts` asks for both of every code of these lists, so that a code without a case is a failure.
 *
 *   rule   => "rule" family code "fires="name,name … "silent="name,name … "limit="name,name …      each list may be left out
 *
 *   cancel_class | disposition | attestation      the column of the judged attempt
 *   flag | suspicion                              one of those that the attempt has
 *   score                                         a part of the FAS score that holds on a prefix of a carrier: names are carriers
 *
 * Names under `limit` stand under `fires` or `silent` too: the last call that has the code, and the first that has not.
 *
 * Throws   KpiSyntaxError.
 */
import { ANOMALY_CODES, anomalyRule, FAS_CODES, FAS_PARTS } from '../../schemas/anomalies.js'
import { ATTEMPT_FLAGS, type Attempt, CANCEL_CLASSES, DISPOSITIONS } from '../../schemas/attempt.js'
import { KpiSyntaxError, type Word } from './kpi-words.js'

export const RULE_FAMILIES = {
  cancel_class: CANCEL_CLASSES,
  disposition: DISPOSITIONS,
  attestation: ['A', 'B', 'C', 'none', 'malformed'],
  // A flow has no capture time out of bounds, and no more messages than a set of facts holds: test/collector/fold.
  flag: ATTEMPT_FLAGS.filter((flag) => flag !== 'overflow' && flag !== 'timestamp_replaced'),
  suspicion: ANOMALY_CODES,
  score: FAS_CODES,
} as const satisfies Record<string, readonly string[]>
export type RuleFamily = keyof typeof RULE_FAMILIES

/** Codes that hang on a number, beside those whose condition names a threshold: metrics.md §2 and §4. */
const WITH_LIMIT: ReadonlySet<string> = new Set([
  'cancel_class ELSEWHERE',
  'cancel_class ROUTE_ADVANCE',
  'cancel_class RING_TIMER',
  'disposition TIMEOUT',
  'flag cancel_no_final',
  'flag FAS_NO_PROGRESS',
])

export interface RuleLine {
  family: RuleFamily
  code: string
  fires: readonly string[]
  silent: readonly string[]
  limit: readonly string[]
}

export function hasLimit(family: RuleFamily, code: string): boolean {
  if (family === 'suspicion')
    return anomalyRule(code as (typeof ANOMALY_CODES)[number]).condition.includes('{')
  if (family === 'score') return FAS_PARTS[code as (typeof FAS_CODES)[number]].condition.includes('{')
  return WITH_LIMIT.has(`${family} ${code}`)
}

export function ruleLineOf([family, code, ...lists]: Word[], place: string): RuleLine {
  const codes: readonly string[] | undefined =
    family !== undefined && Object.hasOwn(RULE_FAMILIES, family.text)
      ? RULE_FAMILIES[family.text as RuleFamily]
      : undefined
  if (family === undefined || codes === undefined) {
    throw new KpiSyntaxError(
      place,
      `'${family?.text ?? ''}' is no family of rules (${Object.keys(RULE_FAMILIES).join(', ')})`,
    )
  }
  if (code === undefined || !codes.includes(code.text)) {
    throw new KpiSyntaxError(
      place,
      `'${code?.text ?? ''}' is no code of ${family.text} (${codes.join(', ')})`,
    )
  }
  const names: Record<string, string[]> = { fires: [], silent: [], limit: [] }
  for (const { key, value, text } of lists) {
    const list = Object.hasOwn(names, key) ? names[key] : undefined
    if (list === undefined) throw new KpiSyntaxError(place, `'${text}': write fires=…, silent=… or limit=…`)
    list.push(...value.split(','))
  }
  const { fires = [], silent = [], limit = [] } = names
  if (fires.length + silent.length === 0) throw new KpiSyntaxError(place, 'name calls: fires=a,b silent=c')
  for (const name of limit) {
    if (!fires.includes(name) && !silent.includes(name))
      throw new KpiSyntaxError(place, `'${name}' is at the limit, and neither under fires nor under silent`)
  }
  return { family: family.text as RuleFamily, code: code.text, fires, silent, limit }
}

/** Codes of a family that a name has; a text where it cannot be found. */
export type CodesOf = (name: string) => readonly string[] | string

export function codesOfAttempt(
  attempt: Attempt,
  family: Exclude<RuleFamily, 'score'>,
  suspicions: readonly string[],
): readonly string[] {
  switch (family) {
    case 'cancel_class':
      return [attempt.cancelClass]
    case 'disposition':
      return [attempt.disposition]
    case 'attestation':
      return attempt.invited ? [attempt.attestation] : []
    case 'flag':
      return attempt.flags
    case 'suspicion':
      return suspicions
  }
}

/** What of a rule line does not hold. */
export function ruleProblems({ code, fires, silent }: RuleLine, codesOf: CodesOf): string[] {
  const problem = (name: string, isWanted: boolean): string[] => {
    const codes = codesOf(name)
    if (typeof codes === 'string') return [`${name}: ${codes}`]
    if (codes.includes(code) === isWanted) return []
    return [`${name} has ${codes.join(' ') || 'none'}`]
  }
  return [...fires.flatMap((name) => problem(name, true)), ...silent.flatMap((name) => problem(name, false))]
}

/** What is missing for a code to be proven; '' where nothing is. */
export function gapOf(family: RuleFamily, code: string, lines: readonly RuleLine[]): string {
  const own = lines.filter((line) => line.family === family && line.code === code)
  const of = (list: 'fires' | 'silent') => own.flatMap((line) => line[list])
  const atLimit = (list: 'fires' | 'silent') =>
    own.flatMap((line) => line[list].filter((name) => line.limit.includes(name)))
  const missing = [
    ...(of('fires').length === 0 ? ['a call that has it'] : []),
    ...(of('silent').length === 0 ? ['a call that has it not'] : []),
    ...(hasLimit(family, code) && atLimit('fires').length === 0
      ? ['the last call at its limit that has it']
      : []),
    ...(hasLimit(family, code) && atLimit('silent').length === 0
      ? ['the first call at its limit that has it not']
      : []),
  ]
  return missing.length === 0 ? '' : `no line 'rule ${family} ${code}' names ${missing.join(', nor ')}`
}
