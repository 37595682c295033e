/**
 * The ladder of a call: who spoke (parties), and every message between them (arrows), in the order in which it happened.
 *
 * Takes    messages of all legs of a call, in any order: the answer is the same.
 * Returns  arrows by the time of one agent, the one that saw most. What another agent saw too is the same arrow, with its
 *          time beside (agent-clocks.ts says how far its clock is off), and what only it saw finds its place by that. A
 *          message that was sent again, byte by byte, is marked; the copy of another agent is none.
 * Throws   nothing.
 * Source   RFC 3261 §17.1.1.2: what is sent again comes T1, 500 ms, after the first at the soonest.
 */
import { z } from 'zod'
import type { SdpMedia } from '../../sip/sdp.js'
import { agentClock, clocksOf, groupedBy } from './agent-clocks.js'
import { type ReadMessage, rankOf } from './messages.js'

/** Copies of two agents lie nearer together than a sending and the next. */
const COPY_WITHIN_US = 250_000
const CODECS_SHOWN = 4

export const ARROW_KINDS = ['request', 'provisional', 'success', 'redirect', 'failure', 'unreadable'] as const

const arrow = z.object({
  number: z.number().describe('From 1, in order.'),
  message: z.number().describe('Place of the message in the list that the ladder was made from.'),
  attempt_id: z.string(),
  from: z.number().describe('Index in parties.'),
  to: z.number(),
  source_port: z.number(),
  destination_port: z.number(),
  kind: z.enum(ARROW_KINDS),
  label: z.string().describe('Method, or status code and reason phrase.'),
  cseq: z.string(),
  captured_at: z.string().describe('As the agent wrote it.'),
  captured_at_us: z.number(),
  offset_ms: z.number().describe('After the first arrow, on the clock of the ladder.'),
  agent: z.string(),
  also_seen: z
    .array(z.object({ agent: z.string(), captured_at: z.string(), later_ms: z.number() }))
    .describe('Other agents that saw the same message; later_ms holds their skew.'),
  again_of: z.number().nullable().describe('The arrow of which this is a retransmission.'),
  media: z.array(z.string()).describe('What its SDP says, a line for each medium.'),
  is_early_media: z.boolean().describe('A provisional response with SDP.'),
})

export const ladder = z
  .object({
    parties: z.array(z.object({ address: z.string(), name: z.string() })),
    arrows: z.array(arrow),
    clocks: z.array(agentClock),
  })
  .meta({ title: 'Ladder' })

export type Ladder = z.output<typeof ladder>
export type Arrow = Ladder['arrows'][number]

export interface LadderMessage extends ReadMessage {
  attemptId: string
}

interface Sighting extends LadderMessage {
  index: number
  /** On the clock of the ladder. */
  atUs: number
  sameAs: string
}

interface Sent {
  first: Sighting
  others: Sighting[]
}

/** @param names what addresses are called; those without a name are shown as they are */
export function ladderOf(messages: readonly LadderMessage[], names: ReadonlyMap<string, string>): Ladder {
  const sightings: Omit<Sighting, 'atUs'>[] = messages.map((message, index) => ({
    ...message,
    index,
    sameAs: sameAs(message),
  }))
  const clocks = clocksOf(
    sightings.map(({ message, sameAs }) => ({
      agent: message.agent,
      atUs: message.captured_at_us,
      sameAs,
      isForth: message.source.address < message.destination.address,
    })),
  )
  const rank = new Map(clocks.map(({ agent }, index) => [agent, index]))
  const skewUs = new Map(clocks.map(({ agent, skew_ms }) => [agent, Math.round((skew_ms ?? 0) * 1_000)]))
  const sent = sentOf(
    sightings.map((sighting) => ({
      ...sighting,
      atUs: sighting.message.captured_at_us - skewUs.get(sighting.message.agent)!,
    })),
    rank,
  )
  const { parties, partyOf } = partiesOf(sent, names)
  const firstUs = sent[0]?.first.atUs ?? 0
  const firstOf = new Map<string, number>()
  const arrows = sent.map(({ first, others }, index): Arrow => {
    const { message } = first
    const earlier = firstOf.get(first.sameAs)
    if (earlier === undefined) firstOf.set(first.sameAs, index + 1)
    return {
      number: index + 1,
      message: first.index,
      attempt_id: first.attemptId,
      from: partyOf(message.source),
      to: partyOf(message.destination),
      source_port: message.source.port,
      destination_port: message.destination.port,
      kind: kindOf(message.status_code, message.parse_error),
      label: labelOf(message),
      cseq: message.cseq_number < 0 ? '' : `${message.cseq_number} ${message.cseq_method}`.trim(),
      captured_at: message.captured_at,
      captured_at_us: message.captured_at_us,
      offset_ms: (first.atUs - firstUs) / 1_000,
      agent: message.agent,
      also_seen: others.map(({ message: other }) => ({
        agent: other.agent,
        captured_at: other.captured_at,
        later_ms: (other.captured_at_us - message.captured_at_us) / 1_000,
      })),
      again_of: earlier ?? null,
      media: first.media.map(mediaWords),
      is_early_media: message.status_code > 100 && message.status_code < 200 && first.media.length > 0,
    }
  })
  return { parties, arrows, clocks }
}

/** The same bytes between the same ports. */
function sameAs({ message: { source, destination }, digest }: LadderMessage): string {
  return `${source.address} ${source.port} ${destination.address} ${destination.port} ${digest}`
}

/** Sightings of one sending together, in order. Nothing here depends on the order in which they came. */
function sentOf(sightings: readonly Sighting[], rank: ReadonlyMap<string, number>): Sent[] {
  const groups = groupedBy(sightings, ({ sameAs }) => sameAs)
  const sent: Sent[] = []
  for (const group of groups.values()) {
    const ofGroup: Sent[] = []
    const byAgent = group.sort(
      (a, b) => rank.get(a.message.agent)! - rank.get(b.message.agent)! || a.atUs - b.atUs,
    )
    for (const sighting of byAgent) {
      const distanceUs = ({ first }: Sent) => Math.abs(first.atUs - sighting.atUs)
      const nearest = ofGroup
        .filter(
          (one) =>
            distanceUs(one) <= COPY_WITHIN_US &&
            [one.first, ...one.others].every(({ message }) => message.agent !== sighting.message.agent),
        )
        .sort((a, b) => distanceUs(a) - distanceUs(b))[0]
      if (nearest === undefined) ofGroup.push({ first: sighting, others: [] })
      else nearest.others.push(sighting)
    }
    sent.push(...ofGroup)
  }
  const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return sent.sort(
    ({ first: a }, { first: b }) =>
      a.atUs - b.atUs ||
      a.message.cseq_number - b.message.cseq_number ||
      rankOf(a.message.method, a.message.status_code) - rankOf(b.message.method, b.message.status_code) ||
      compared(a.sameAs, b.sameAs) ||
      compared(a.message.agent, b.message.agent),
  )
}

interface End {
  address: string
  port: number
}

/**
 * Left to right as the call went: a new sender stands left of whom it speaks to, a new receiver at the right. Where an
 * address speaks to itself its ports are parties.
 */
function partiesOf(sent: readonly Sent[], names: ReadonlyMap<string, string>) {
  const loops = new Set(
    sent.flatMap(({ first: { message } }) =>
      message.source.address === message.destination.address ? [message.source.address] : [],
    ),
  )
  const keyOf = ({ address, port }: End) => (loops.has(address) ? `${address} port ${port}` : address)
  const order: string[] = []
  const addressOf = new Map<string, string>()
  for (const { first } of sent) {
    const { source, destination } = first.message
    const [from, to] = [keyOf(source), keyOf(destination)]
    addressOf.set(from, source.address).set(to, destination.address)
    const isNew = !order.includes(from)
    const at = order.indexOf(to)
    if (isNew && at >= 0) order.splice(at, 0, from)
    else if (isNew) order.push(from)
    if (!order.includes(to)) order.push(to)
  }
  return {
    parties: order.map((key) => ({
      address: key === '' ? 'address not told' : key,
      name: names.get(addressOf.get(key)!) ?? '',
    })),
    partyOf: (end: End) => order.indexOf(keyOf(end)),
  }
}

function kindOf(statusCode: number, parseError: string): Arrow['kind'] {
  if (parseError !== '') return 'unreadable'
  if (statusCode === 0) return 'request'
  if (statusCode < 200) return 'provisional'
  if (statusCode < 300) return 'success'
  return statusCode < 400 ? 'redirect' : 'failure'
}

/** A start line is masked where the message is. */
function labelOf({ parse_error, status_code, start_line, method }: ReadMessage['message']): string {
  if (parse_error !== '') return `cannot be read: ${parse_error}`
  const space = start_line.indexOf(' ')
  if (status_code > 0) return space < 0 ? String(status_code) : start_line.slice(space + 1).trim()
  return method === 'other' ? start_line.slice(0, space < 0 ? undefined : space) : method
}

/** RFC 3551 §6: the static payload types that are still in use. */
const PAYLOAD_TYPES: Readonly<Record<string, string>> = {
  0: 'PCMU',
  3: 'GSM',
  4: 'G723',
  8: 'PCMA',
  9: 'G722',
  13: 'CN',
  18: 'G729',
}

export function mediaWords({ kind, port, formats, direction, address }: SdpMedia): string {
  const codecs = formats.map((format) => PAYLOAD_TYPES[format] ?? format.replace(/^\d+=/, ''))
  const more = codecs.length > CODECS_SHOWN ? ` and ${codecs.length - CODECS_SHOWN} more` : ''
  const where = port === 0 ? 'refused' : `at ${address === '' ? 'no address' : address}:${port}`
  return [
    kind,
    `${codecs.slice(0, CODECS_SHOWN).join(', ')}${more}`,
    where,
    direction === 'sendrecv' ? '' : direction,
  ]
    .filter((part) => part !== '')
    .join(' ')
}
