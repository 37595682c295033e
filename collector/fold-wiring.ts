/** Hands the fold what enrich and the configuration know. The only place where the two stages meet. */
import type { TrunkscopeConfig } from '../schemas/config.js'
import { attestationOf, readIdentity } from '../sip/passport.js'
import { attributeLeg, compileNetwork } from './enrich/carrier.js'
import { numbersOf } from './enrich/numbers.js'
import { addMessage, noFacts } from './fold/add-message.js'
import { attemptIdOf, attemptOf, type FoldContext, reviewAtUs } from './fold/attempt.js'
import { attemptKey, dialogTags, factsFromText, factsText, mergeFacts } from './fold/attempt-facts.js'
import type { Fold } from './store/open-attempts.js'

/** Identity headers looked at: one shaken, its divs, an rph; more is an attack. */
const IDENTITIES_MAX = 8

/** Reads the Identity values of an INVITE. */
export const identities = (values: readonly string[]) => values.slice(0, IDENTITIES_MAX).map(readIdentity)

export function foldOf(config: TrunkscopeConfig): Fold {
  const network = compileNetwork(config)
  const context: FoldContext = {
    preRingPatienceMs: config.thresholds.pre_ring_patience_ms,
    ringTimersS: config.thresholds.ring_timers_s,
    attributesOf: (ends) => attributeLeg(network, ends),
    numbersOf,
    attestationOf,
  }
  return {
    dialogTags,
    attemptKey,
    noFacts,
    addMessage: (facts, observed) => addMessage(facts, observed, identities),
    mergeFacts,
    attemptIdOf,
    attemptOf: (attemptId, facts, asOfUs) => attemptOf(attemptId, facts, asOfUs, context),
    reviewAtUs,
    factsText,
    factsFromText,
  }
}
