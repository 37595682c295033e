/**
 * All messages of one Call-ID → the facts of its attempts.
 *
 * The store folds a message when it comes and must guess whose BYE it is while no INVITE is known; here the whole call is
 * known before the first BYE is given away. An attempt has the same facts either way; only fragments differ, which are
 * none.
 */
import type { AttemptFacts } from '../../schemas/attempt-facts.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import { CALL_ID_MAX } from '../../schemas/sip-messages.js'
import type { Fold } from '../store/open-attempts.js'

export interface FoldedAttempt {
  id: string
  facts: AttemptFacts
}

interface Candidate {
  facts: AttemptFacts
  hasInvite: boolean
}

/** What the BYEs of one pair of tags prove, and an example of them. */
interface Byes {
  facts: AttemptFacts
  observed: ObservedMessage
  tags: readonly string[]
}

/** More is an attack, or a Call-ID that a device uses for everything it sends: such calls are left as they are. */
export const MESSAGES_A_CALL_MAX = 20_000

export class CallFold {
  messages = 0
  /** Messages that today's reader finds under another Call-ID than the one they are stored under. */
  unplaced = 0
  readonly #fold: Fold
  readonly #candidates = new Map<string, Candidate>()
  readonly #byes = new Map<string, Byes>()
  /** Capture times by agent: what was here to fold. */
  readonly #seen = new Map<string, Set<number>>()

  constructor(
    /** As stored: cut to CALL_ID_MAX. */
    readonly callId: string,
    fold: Fold,
  ) {
    this.#fold = fold
  }

  get isTooLong(): boolean {
    return this.messages > MESSAGES_A_CALL_MAX
  }

  add(observed: ObservedMessage): void {
    this.messages++
    if (this.isTooLong) return
    this.#note(observed)
    const { parseError, callId } = observed.message
    // As the store does: a message that lost its Via still has the CSeq of its transaction.
    if (parseError !== '' && parseError !== 'no_via') return
    if (callId.slice(0, CALL_ID_MAX) !== this.callId) {
      this.unplaced++
      return
    }
    const tags = this.#fold.dialogTags(observed)
    if (tags === undefined) return
    if (tags.length === 1) {
      const candidate = this.#candidateOf(observed, tags[0] as string)
      this.#fold.addMessage(candidate.facts, observed)
      candidate.hasInvite ||= observed.message.method === 'INVITE' && observed.message.toTag === ''
      return
    }
    const name = `${legOf(observed)}\n${tags.join('\n')}`
    let byes = this.#byes.get(name)
    if (byes === undefined) {
      const facts = this.#fold.noFacts(this.#fold.attemptKey(observed, tags[0] as string))
      byes = { facts, observed, tags }
      this.#byes.set(name, byes)
    }
    this.#fold.addMessage(byes.facts, observed)
  }

  /** Ends the fold: BYEs go to the attempt whose INVITE is known, or to both candidates. */
  attempts(): FoldedAttempt[] {
    for (const { facts, observed, tags } of this.#byes.values()) {
      const known = tags.filter((tag) => this.#candidates.get(nameOf(observed, tag))?.hasInvite)
      for (const tag of known.length > 0 ? known : tags)
        this.#fold.mergeFacts(this.#candidateOf(observed, tag).facts, structuredClone(facts))
    }
    this.#byes.clear()
    return [...this.#candidates.values()].map(({ facts }) => ({
      id: this.#fold.attemptIdOf(facts.key),
      facts,
    }))
  }

  /**
   * Whether everything that these facts were made of is still here: each of their times is that of a message of its agent.
   * It asks for messages, not for facts, because other rules may make other facts of the same messages.
   */
  hasAllOf(facts: AttemptFacts): boolean {
    for (const { agent, atUs } of timesOf(facts)) if (!this.#seen.get(agent)?.has(atUs)) return false
    return true
  }

  #note({ agent, capturedAtUs }: ObservedMessage): void {
    const times = this.#seen.get(agent)
    if (times === undefined) this.#seen.set(agent, new Set([capturedAtUs]))
    else times.add(capturedAtUs)
  }

  #candidateOf(observed: ObservedMessage, fromTag: string): Candidate {
    const name = nameOf(observed, fromTag)
    const known = this.#candidates.get(name)
    if (known !== undefined) return known
    const made = { facts: this.#fold.noFacts(this.#fold.attemptKey(observed, fromTag)), hasInvite: false }
    this.#candidates.set(name, made)
    return made
  }
}

/** The two addresses in text order: the leg of `attemptKey`. */
function legOf({ sourceAddress: a, destinationAddress: b, message }: ObservedMessage): string {
  return `${a < b ? `${a}\n${b}` : `${b}\n${a}`}\n${message.callId}`
}

const nameOf = (observed: ObservedMessage, fromTag: string) => `${legOf(observed)}\n${fromTag}`

/** Every time in the facts, with the agent whose clock gave it. */
function* timesOf(facts: AttemptFacts): Generator<{ agent: string; atUs: number }> {
  for (const attempt of facts.tries) {
    if (attempt.invite !== undefined) yield attempt.invite
    if (attempt.ends !== undefined) yield attempt.ends
    for (const { agent, invites, ...times } of attempt.views) {
      for (const atUs of [...invites, ...Object.values(times)]) yield { agent, atUs }
    }
    for (const final of attempt.finals) yield* [final, ...final.times]
  }
  for (const bye of facts.byes) yield* [...bye.times, ...bye.finalTimes]
  yield* facts.acks
}
