/**
 * What an evidence pass says of an attempt beside the fold's judgement, and why. Names and ids of other carriers' attempts are
 * left out for who may not see these carriers.
 */
import { z } from 'zod'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import { VERDICT_RULES, type VerdictEvidence } from '../../schemas/verdicts.js'
import type { SeenDeps } from '../deps.js'

export const verdict = z
  .object({
    rule: z.enum(VERDICT_RULES),
    because: z.string(),
    later_ms: z
      .number()
      .describe('From the give-up of this attempt (or its INVITE) to that event of the other one.'),
    other_attempt_id: z
      .string()
      .nullable()
      .describe('What it rests on; null: not to be seen with this token.'),
    fold: z
      .object({ disposition: z.string(), cancel_class: z.string() })
      .describe('What this leg alone would be called.'),
  })
  .meta({ title: 'Verdict' })

export type VerdictJson = z.output<typeof verdict>

interface Row {
  verdict_rule: VerdictJson['rule']
  evidence: string
  of_disposition: string
  of_cancel_class: string
}

const STANDING = `SELECT verdict_rule, evidence, of_disposition, of_cancel_class FROM attempt_verdicts FINAL
  WHERE attempt_id = toFixedString(unhex({id:String}), 16) AND (disposition, cancel_class) IN (
    SELECT disposition, cancel_class FROM ${judgedAttempts({ minutes: 'attempt_id = toFixedString(unhex({id:String}), 16)' })})`

/** Of an attempt that was found for this principal. */
export async function readVerdict(deps: SeenDeps, attemptId: string): Promise<VerdictJson | null> {
  const [row] = await deps.readers.select<Row>(STANDING, { id: attemptId })
  if (row === undefined) return null
  const evidence = JSON.parse(row.evidence) as VerdictEvidence
  const { carriers } = deps.principal
  const isSeen = carriers === 'all' || (evidence.party === 'carrier' && carriers.includes(evidence.carrier))
  return {
    rule: row.verdict_rule,
    because: becauseOf(row.verdict_rule, evidence, isSeen ? nameOf(deps, evidence) : 'another carrier'),
    later_ms: evidence.laterMs,
    other_attempt_id: isSeen ? evidence.attemptId : null,
    fold: { disposition: row.of_disposition, cancel_class: row.of_cancel_class },
  }
}

function nameOf({ config }: SeenDeps, { party, carrier }: VerdictEvidence): string {
  if (party !== 'carrier') return `a leg of ${party === 'unknown' ? 'an unknown peer' : `the ${party}`}`
  return config.carriers.find(({ id }) => id === carrier)?.name ?? carrier
}

const LINKS: Record<VerdictEvidence['link'], string> = {
  session_id: 'they share a Session-ID',
  header: 'they share the correlation header',
  call_id: 'they share the Call-ID',
  numbers_time: 'they belong to one call by numbers and time',
  numbers: 'they have the same caller and callee',
  number: 'the same number was called',
}

/** @param other who the other leg belongs to, in words that may be seen */
export function becauseOf(rule: VerdictJson['rule'], evidence: VerdictEvidence, other: string): string {
  const seconds = `${(Math.abs(evidence.laterMs) / 1_000).toFixed(3)} s`
  const when = evidence.laterMs < 0 ? `${seconds} before` : `${seconds} after`
  const link = LINKS[evidence.link]
  switch (rule) {
    case 'sibling_answered':
      return `completed elsewhere: a leg over ${other} was answered ${when} this one was given up; ${link}`
    case 'route_advanced':
      return `the route was advanced: ${other} got the INVITE ${when} the CANCEL; ${link}`
    default: {
      const hours = `${(Math.abs(evidence.laterMs) / 3_600_000).toFixed(1)} h ${evidence.laterMs < 0 ? 'before' : 'after'}`
      return `the number is not invalid: ${other} reached it (${evidence.disposition}) ${hours} this attempt`
    }
  }
}
