// tidy: tested by test/evidence/job.test.ts
/** The passes, in the order in which they run: one that reads another's rows stands after it. How to add one: pass.ts. */
import { cancelsPass } from './cancels-pass.js'
import { earlyMediaPass } from './early-media-pass.js'
import { invalidNumbersPass } from './invalid-numbers-pass.js'
import { legsPass } from './legs-pass.js'
import type { EvidencePass } from './pass.js'

export const PASSES: readonly EvidencePass[] = [legsPass, cancelsPass, invalidNumbersPass, earlyMediaPass]
