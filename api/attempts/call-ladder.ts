/**
 * Everything that is stored of the call of an attempt: its legs, their messages, the ladder over them, and why the record
 * says what it says.
 *
 * Legs are the attempts that share the Call-ID, and those with another one that evidence links (docs/evidence.md), as far as they
 * may be seen; each brings the messages of its own leg (messages.ts).
 */
import { z } from 'zod'
import { type CallJson, readCall, readLegsOfCall } from '../calls/call.js'
import type { SeenDeps } from '../deps.js'
import { groupedBy } from './agent-clocks.js'
import type { AttemptJson } from './attempt-json.js'
import { explanation, explanationOf } from './explanation.js'
import { type LadderMessage, ladder, ladderOf } from './ladder.js'
import { type MessageJson, readMessagesOf } from './messages.js'
import { attemptsOfCall, type FoundAttempt, findAttempt, LEGS_MAX } from './search.js'

export const callLadder = z.object({
  attempt_id: z.string(),
  legs: z
    .array(z.object({ attempt_id: z.string(), name: z.string(), direction: z.string(), site: z.string() }))
    .describe('Attempts that share the Call-ID or are linked to this one, which is among them.'),
  ...ladder.shape,
  explanation: z.array(explanation).describe('What the rules made of this attempt, and by which arrows.'),
  is_cut: z.boolean().describe('There are more legs or messages than one answer holds.'),
})

export type CallLadder = z.output<typeof callLadder>

export interface FoundCall {
  attempt: AttemptJson
  ladder: CallLadder
  call: CallJson
  /** Of all legs; `message` of an arrow is an index of this list. */
  messages: readonly MessageJson[]
}

export async function findCall(deps: SeenDeps, id: string): Promise<FoundCall> {
  const { attempt, key } = await findAttempt(deps.readers, id)
  const sharing = attemptsOfCall(deps.readers, key.callId)
  const [call, linked] = await Promise.all([sharing, readLegsOfCall(deps, attempt, () => sharing)])
  const legs = new Map(
    [{ attempt, key }, ...call.found, ...linked.found].map((leg) => [leg.attempt.attempt_id, leg]),
  )
  const found = [...legs.values()]
    .slice(0, LEGS_MAX)
    .sort(
      ({ attempt: a }, { attempt: b }) =>
        a.invited_at_us - b.invited_at_us || (a.attempt_id < b.attempt_id ? -1 : 1),
    )
  let isCut = call.isCut || legs.size > LEGS_MAX
  const messages: LadderMessage[] = []
  // What came without addresses is of every leg.
  const known = new Set<string>()
  for (const ofLeg of groupedBy(found, legKey).values()) {
    const leg = ofLeg[0]!.key
    const fromTags = ofLeg.map(({ key: { fromTag } }) => fromTag)
    const answer = await readMessagesOf(deps.readers, leg, fromTags)
    isCut ||= answer.isCut
    for (const read of answer.read) {
      const { agent, captured_at_us, source, destination } = read.message
      const row = JSON.stringify([agent, captured_at_us, source, destination, read.digest])
      if (known.has(row)) continue
      known.add(row)
      const owner = ofLeg.find(({ key: { fromTag } }) => fromTag === read.fromTag) ?? ofLeg[0]!
      messages.push({ ...read, attemptId: owner.attempt.attempt_id })
    }
  }
  const ofCall = await readCall(deps, attempt, key.callId, linked)
  const drawn = ladderOf(messages, namesOf(deps, found))
  return {
    attempt,
    call: ofCall,
    messages: messages.map(({ message }) => message),
    ladder: {
      attempt_id: attempt.attempt_id,
      legs: found.map(({ attempt: one }) => ({
        attempt_id: one.attempt_id,
        name: ownerName(deps, one),
        direction: one.direction,
        site: one.site,
      })),
      ...drawn,
      explanation: explanationOf(attempt, drawn.arrows, deps.config.thresholds, ofCall.verdict),
      is_cut: isCut,
    },
  }
}

function legKey({ key: { addresses, callId } }: FoundAttempt): string {
  return `${addresses.join(' ')} ${callId}`
}

/** What an address is called, as far as the legs tell. */
function namesOf(deps: SeenDeps, found: readonly FoundAttempt[]): Map<string, string> {
  const names = new Map<string, string>()
  for (const { attempt } of found) {
    if (attempt.far_address !== '') names.set(attempt.far_address, ownerName(deps, attempt))
  }
  for (const { attempt } of found) {
    if (attempt.sbc_address !== '') names.set(attempt.sbc_address, `SBC ${attempt.site}`.trim())
  }
  return names
}

function ownerName({ config }: SeenDeps, { party, carrier, customer }: AttemptJson): string {
  if (party === 'carrier') return config.carriers.find(({ id }) => id === carrier)?.name ?? carrier
  if (party === 'customer') return config.customers.find(({ id }) => id === customer)?.name ?? customer
  return party === 'internal' ? 'internal' : 'unknown peer'
}
