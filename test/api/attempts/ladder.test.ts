import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type LadderMessage, ladderOf, mediaWords } from '../../../api/attempts/ladder.js'
import { isoUsOf } from '../../../api/time-span.js'
import type { SdpMedia } from '../../../sip/sdp.js'
import { NOON_US } from '../support.js'

const [CUSTOMER, SBC, CARRIER] = ['10.20.0.9', '192.0.2.11', '198.51.100.10']
const NAMES = new Map([
  [SBC, 'SBC dal'],
  [CARRIER, 'Alpha'],
])
const AUDIO: SdpMedia = {
  kind: 'audio',
  port: 4_000,
  transport: 'RTP/AVP',
  formats: ['8', '0', '101=telephone-event/8000'],
  direction: 'sendrecv',
  address: '203.0.113.4',
}

interface Event {
  ms: number
  start: string
  ends: readonly [string, string]
  agent?: string
  cseq?: string
  media?: SdpMedia[]
}

function messageOf({ ms, start, ends, agent = 'a', cseq = '1 INVITE', media = [] }: Event): LadderMessage {
  const atUs = NOON_US + Math.round(ms * 1_000)
  const isResponse = start.startsWith('SIP/2.0 ')
  return {
    attemptId: 'f'.repeat(32),
    digest: createHash('sha256').update(`${start} ${cseq}`).digest('hex'),
    fromTag: 't',
    media,
    message: {
      captured_at: isoUsOf(atUs),
      captured_at_us: atUs,
      offset_ms: 0,
      received_at: isoUsOf(atUs),
      agent,
      transport: 'udp',
      ip_protocol: 17,
      source: { address: ends[0], port: 5060 },
      destination: { address: ends[1], port: 5060 },
      method: isResponse ? '' : start.split(' ')[0]!,
      status_code: isResponse ? Number(start.split(' ')[1]) : 0,
      cseq_number: Number(cseq.split(' ')[0]),
      cseq_method: cseq.split(' ')[1]!,
      start_line: start,
      parse_error: '',
      truncated: false,
      frame_flags: [],
      raw: '',
    },
  }
}

const OUT = [SBC, CARRIER] as const
const BACK = [CARRIER, SBC] as const
const CALL: Event[] = [
  { ms: 0, start: 'INVITE sip:b@x SIP/2.0', ends: [CUSTOMER, SBC] },
  { ms: 2, start: 'INVITE sip:b@y SIP/2.0', ends: OUT, media: [AUDIO] },
  { ms: 502, start: 'INVITE sip:b@y SIP/2.0', ends: OUT, media: [AUDIO] },
  { ms: 520, start: 'SIP/2.0 100 Trying', ends: BACK },
  { ms: 1_300, start: 'SIP/2.0 183 Session Progress', ends: BACK, media: [AUDIO] },
  { ms: 4_000, start: 'SIP/2.0 486 Busy Here', ends: BACK },
  { ms: 4_000, start: 'ACK sip:b@y SIP/2.0', ends: OUT, cseq: '1 ACK' },
]
const labels = (events: readonly Event[]) =>
  ladderOf(events.map(messageOf), NAMES).arrows.map(({ label }) => label)

/** The same call as another agent at the carrier's end sees it: later by transit one way, by minus transit the other. */
const seenToo = (skewMs: number, transitMs: number): Event[] =>
  CALL.slice(1).map((event) => ({
    ...event,
    agent: 'b',
    ms: event.ms + skewMs + (event.ends === OUT ? transitMs : -transitMs),
  }))

describe('ladder', () => {
  it('has a column a party, left to right as the call went, and an arrow a message', () => {
    const { parties, arrows } = ladderOf(CALL.map(messageOf), NAMES)
    expect(parties).toEqual([
      { address: CUSTOMER, name: '' },
      { address: SBC, name: 'SBC dal' },
      { address: CARRIER, name: 'Alpha' },
    ])
    expect(arrows.map(({ number, label, from, to, kind }) => [number, label, from, to, kind])).toEqual([
      [1, 'INVITE', 0, 1, 'request'],
      [2, 'INVITE', 1, 2, 'request'],
      [3, 'INVITE', 1, 2, 'request'],
      [4, '100 Trying', 2, 1, 'provisional'],
      [5, '183 Session Progress', 2, 1, 'provisional'],
      [6, '486 Busy Here', 2, 1, 'failure'],
      [7, 'ACK', 1, 2, 'request'],
    ])
    expect(arrows.map(({ offset_ms }) => offset_ms)).toEqual([0, 2, 502, 520, 1_300, 4_000, 4_000])
  })

  it('marks what was sent again, and early media', () => {
    const { arrows } = ladderOf(CALL.map(messageOf), NAMES)
    expect(arrows.map(({ again_of }) => again_of)).toEqual([null, null, 2, null, null, null, null])
    expect(arrows.filter(({ is_early_media }) => is_early_media).map(({ number }) => number)).toEqual([5])
    expect(arrows[1]!.media).toEqual(['audio PCMA, PCMU, telephone-event/8000 at 203.0.113.4:4000'])
  })

  it('a copy of another agent is the same arrow, and shows how far its clock is off', () => {
    const { arrows, clocks } = ladderOf([...CALL, ...seenToo(5_000, 20)].map(messageOf), NAMES)
    expect(arrows.map(({ label }) => label)).toEqual(labels(CALL))
    expect(arrows.map(({ again_of }) => again_of)).toEqual([null, null, 2, null, null, null, null])
    expect(clocks).toEqual([
      { agent: 'a', messages: 7, skew_ms: 0, pairs: 0 },
      { agent: 'b', messages: 6, skew_ms: 5_000, pairs: 6 },
    ])
    expect(arrows[1]!.also_seen).toEqual([
      { agent: 'b', captured_at: '2026-11-20T12:00:05.022000Z', later_ms: 5_020 },
    ])
  })

  it('what only the other agent saw stands where it belongs, not where its clock says', () => {
    const only: Event = { ms: 5_000 + 2_000, start: 'SIP/2.0 180 Ringing', ends: BACK, agent: 'b' }
    expect(labels([...CALL, ...seenToo(5_000, 20), only])[5]).toBe('180 Ringing')
  })

  it('a clock that nothing compares is said to be unknown', () => {
    const only: Event = { ms: 2_000, start: 'SIP/2.0 180 Ringing', ends: BACK, agent: 'c' }
    const { clocks } = ladderOf([...CALL, only].map(messageOf), NAMES)
    expect(clocks[1]).toEqual({ agent: 'c', messages: 1, skew_ms: null, pairs: 0 })
  })

  it('an address that speaks to itself has a column for each port', () => {
    const loop = messageOf({ ms: 0, start: 'INVITE sip:b@x SIP/2.0', ends: [SBC, SBC] })
    loop.message.destination.port = 5080
    const { parties, arrows } = ladderOf([loop], NAMES)
    expect(parties.map(({ address }) => address)).toEqual([`${SBC} port 5060`, `${SBC} port 5080`])
    expect([arrows[0]!.from, arrows[0]!.to]).toEqual([0, 1])
  })

  it('a refused medium, a direction and many codecs are said in short', () => {
    expect(mediaWords({ ...AUDIO, port: 0 })).toContain('refused')
    expect(mediaWords({ ...AUDIO, direction: 'sendonly' })).toMatch(/sendonly$/)
    expect(mediaWords({ ...AUDIO, formats: ['0', '8', '9', '18', '3', '4'] })).toContain('and 2 more')
  })

  it('does not depend on the order in which messages arrived (property)', () => {
    const event = fc.record({
      ms: fc.integer({ min: 0, max: 3_000 }),
      start: fc.constantFrom(
        'INVITE sip:b@y SIP/2.0',
        'SIP/2.0 180 Ringing',
        'SIP/2.0 200 OK',
        'BYE sip:b@y SIP/2.0',
      ),
      ends: fc.constantFrom(OUT, BACK, [CUSTOMER, SBC] as const),
      agent: fc.constantFrom('a', 'b', 'c'),
      cseq: fc.constantFrom('1 INVITE', '2 BYE'),
    })
    const withoutPlace = (messages: LadderMessage[]) => {
      const { arrows, ...rest } = ladderOf(messages, NAMES)
      return {
        ...rest,
        arrows: arrows.map(({ message, ...arrow }) => ({
          ...arrow,
          of: messages[message]!.message.start_line,
        })),
      }
    }
    fc.assert(
      fc.property(
        fc
          .array(event, { maxLength: 14 })
          .chain((events) =>
            fc.tuple(
              fc.constant(events),
              fc.shuffledSubarray(events, { minLength: events.length, maxLength: events.length }),
            ),
          ),
        ([events, shuffled]) => {
          expect(withoutPlace(shuffled.map(messageOf))).toEqual(withoutPlace(events.map(messageOf)))
        },
      ),
      { numRuns: 300 },
    )
  })
})
