import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attemptKey, CAPS, dialogTags, factsOf, mergeFacts } from '../../../collector/fold/attempt-facts.js'
import { foldOf } from '../../../collector/fold-wiring.js'
import type { AttemptFacts } from '../../../schemas/attempt-facts.js'
import { configSchema } from '../../../schemas/config.js'
import type { ObservedMessage } from '../../../schemas/observed-message.js'
import { anyMessage } from '../../support/any-message.js'
import {
  copyOf,
  FAR,
  factsFrom,
  identitiesOf,
  observed,
  SBC,
  START_US,
  sortedFacts,
} from '../../support/messages.js'

const merged = (...parts: AttemptFacts[]): AttemptFacts => {
  const [first, ...rest] = parts.map(copyOf)
  for (const part of rest) mergeFacts(first as AttemptFacts, part)
  return first as AttemptFacts
}

const few = fc.array(anyMessage, { minLength: 1, maxLength: 12 })
const many = fc.array(anyMessage, { minLength: 1, maxLength: 250, size: 'max' })
const someFacts = fc.oneof(few, many).map((messages) => factsFrom(messages))

describe('attempt facts', () => {
  test('merging is idempotent, caps included', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        expect(sortedFacts(merged(facts, facts))).toEqual(sortedFacts(facts))
      }),
      { numRuns: 150 },
    )
  })

  test('merging is commutative, caps included', () => {
    fc.assert(
      fc.property(someFacts, someFacts, (a, b) => {
        expect(sortedFacts(merged(a, b))).toEqual(sortedFacts(merged(b, a)))
      }),
      { numRuns: 150 },
    )
  })

  test('merging is associative, caps included', () => {
    fc.assert(
      fc.property(someFacts, someFacts, someFacts, (a, b, c) => {
        expect(sortedFacts(merged(merged(a, b), c))).toEqual(sortedFacts(merged(a, merged(b, c))))
      }),
      { numRuns: 150 },
    )
  })

  test('any order, any grouping and any repetition of the messages give the same facts and the same attempt', () => {
    const fold = foldOf(
      configSchema.parse({ carriers: [{ id: 'acme', peers: [FAR] }], sites: [{ id: 'fra', sbc: [SBC] }] }),
    )
    const asOfUs = START_US + 600_000_000
    fc.assert(
      fc.property(
        fc.oneof(few, many).chain((messages) =>
          fc.record({
            messages: fc.constant(messages),
            order: fc.shuffledSubarray([...messages, ...messages.slice(0, 9)], {
              minLength: messages.length + Math.min(9, messages.length),
            }),
            cuts: fc.array(fc.nat(messages.length), { maxLength: 4 }),
          }),
        ),
        ({ messages, order, cuts }) => {
          const inOrder = factsFrom(messages)
          const bounds = [0, ...cuts.sort((a, b) => a - b), order.length]
          const parts = bounds.slice(1).map((end, at) => factsFrom(order.slice(bounds[at], end)))
          const grouped = merged(...parts.map((part) => ({ ...part, key: inOrder.key })))
          expect(sortedFacts(grouped)).toEqual(sortedFacts(inOrder))
          expect(fold.attemptOf('id', grouped, asOfUs)).toEqual(fold.attemptOf('id', inOrder, asOfUs))
          expect(fold.reviewAtUs(grouped)).toBe(fold.reviewAtUs(inOrder))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('the stored text gives the same facts back, whatever order they came together in', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        const fold = foldOf(configSchema.parse({}))
        const text = fold.factsText(copyOf(facts))
        expect(fold.factsFromText(text)).toEqual(sortedFacts(facts))
        expect(fold.factsText(fold.factsFromText(text))).toBe(text)
      }),
      { numRuns: 100 },
    )
  })

  describe('a set over its cap keeps its size, and says so', () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
    const cases: [
      name: string,
      cap: number,
      messages: ObservedMessage[],
      sizeOf: (facts: AttemptFacts) => number,
    ][] = [
      [
        'tries',
        CAPS.tries,
        numbers(CAPS.tries + 5).map((n) => observed({ cseqNumber: n, branch: `b${n}` })),
        (facts) => facts.tries.length,
      ],
      [
        'agents of a try',
        CAPS.agents,
        numbers(CAPS.agents + 5).map((n) => observed({ agent: `tap/${n}` })),
        (facts) => facts.tries[0]?.views.length ?? 0,
      ],
      [
        'final responses of a try',
        CAPS.finals,
        numbers(CAPS.finals + 5).map((n) => observed({ code: 400 + n })),
        (facts) => facts.tries[0]?.finals.length ?? 0,
      ],
      [
        'agents of a final response',
        CAPS.agents,
        numbers(CAPS.agents + 5).map((n) => observed({ code: 486, agent: `tap/${n}` })),
        (facts) => facts.tries[0]?.finals[0]?.times.length ?? 0,
      ],
      [
        'early dialogs of a try',
        CAPS.tags,
        numbers(CAPS.tags + 5).map((n) => observed({ code: 180, toTag: `to-${n}` })),
        (facts) => facts.tries[0]?.earlyTags.length ?? 0,
      ],
      [
        'reasons of the CANCEL',
        CAPS.reasons,
        numbers(CAPS.reasons + 5).map((n) =>
          observed({ method: 'CANCEL', cseqMethod: 'CANCEL', reasons: [`SIP;cause=${n}`] }),
        ),
        (facts) => facts.tries[0]?.cancelReasons.length ?? 0,
      ],
      [
        'byes',
        CAPS.byes,
        numbers(CAPS.byes + 5).map((n) => observed({ cseqMethod: 'BYE', toTag: `to-${n}` })),
        (facts) => facts.byes.length,
      ],
      [
        'agents that saw the ACK',
        CAPS.agents,
        numbers(CAPS.agents + 5).map((n) =>
          observed({ cseqMethod: 'ACK', toTag: 'to-1', agent: `tap/${n}` }),
        ),
        (facts) => facts.acks.length,
      ],
    ]
    for (const [name, cap, messages, sizeOf] of cases) {
      test(name, () => {
        const full = factsFrom(messages.slice(0, cap))
        expect([sizeOf(full), full.overflow]).toEqual([cap, false])
        const over = factsFrom(messages)
        expect([sizeOf(over), over.overflow]).toEqual([cap, true])
        expect(sortedFacts(factsFrom([...messages].reverse()))).toEqual(sortedFacts(over))
      })
    }
  })

  test('more copies of an INVITE than are kept leave the earliest, and the time of the latest', () => {
    const messages = Array.from({ length: 40 }, (_, index) => observed({ at: index }))
    const view = factsFrom([...messages].reverse()).tries[0]?.views[0]
    expect(view?.invites).toEqual(messages.slice(0, CAPS.stamps).map((message) => message.capturedAtUs))
    expect(view?.lastInvite).toBe(messages[39]?.capturedAtUs)
  })

  test('of two messages with one time stamp the same one says who sent and who received, whatever the order', () => {
    const [one, other] = [
      observed({ code: 100, sourcePort: 5060 }),
      observed({ code: 180, sourcePort: 5070 }),
    ]
    expect(sortedFacts(factsFrom([one, other]))).toEqual(sortedFacts(factsFrom([other, one])))
  })

  test('a Reason that stands twice in a BYE counts once', () => {
    const bye = observed({ cseqMethod: 'BYE', reasons: ['Q.850;cause=16', 'Q.850;cause=16'] })
    expect(factsFrom([bye]).byes[0]?.reasons).toEqual(['Q.850;cause=16'])
  })

  test('tags that look alike when put together stay two BYEs, in one order', () => {
    const byes = [
      observed({ cseqMethod: 'BYE', toTag: 'a|b' }),
      observed({ cseqMethod: 'BYE', fromTag: 'from-1|a', toTag: 'b' }),
    ]
    const facts = byes.map((bye) => factsOf(bye, attemptKey(bye, 'from-1'), identitiesOf))
    const [one, other] = facts as [AttemptFacts, AttemptFacts]
    expect(sortedFacts(merged(one, other))).toEqual(sortedFacts(merged(other, one)))
  })

  test('a text from the wire is kept up to 512 characters', () => {
    const facts = factsFrom([observed({ requestUri: `sip:${'9'.repeat(5_000)}@x` })])
    expect(facts.tries[0]?.invite?.requestUri).toHaveLength(512)
  })

  test('a leg is the unordered pair of addresses, ports aside', () => {
    const there = attemptKey(observed({ sourcePort: 5061 }), 'from-1')
    const back = attemptKey(observed({ code: 200, destinationPort: 5080 }), 'from-1')
    expect(there).toEqual(back)
  })

  describe('the attempt a message may belong to', () => {
    test('is that of its From-tag for INVITE, its responses, CANCEL and ACK', () => {
      for (const message of [
        observed({}),
        observed({ code: 180 }),
        observed({ cseqMethod: 'CANCEL' }),
        observed({ cseqMethod: 'ACK' }),
      ])
        expect(dialogTags(message)).toEqual(['from-1'])
    })

    test('is that of either tag for a BYE, because the callee’s bears them the other way round', () => {
      expect(dialogTags(observed({ cseqMethod: 'BYE', fromTag: 'to-1', toTag: 'from-1' }))).toEqual([
        'to-1',
        'from-1',
      ])
      expect(dialogTags(observed({ cseqMethod: 'BYE', code: 200 }))).toEqual(['from-1', 'to-1'])
      expect(dialogTags(observed({ cseqMethod: 'BYE', toTag: 'from-1' }))).toEqual(['from-1'])
    })

    test('is none for anything else: a 200 to a CANCEL, REGISTER, OPTIONS, PRACK', () => {
      expect(dialogTags(observed({ cseqMethod: 'CANCEL', code: 200 }))).toBeUndefined()
      for (const method of ['REGISTER', 'OPTIONS', 'PRACK', 'UPDATE', 'INFO', 'invite'])
        expect(dialogTags(observed({ cseqMethod: method }))).toBeUndefined()
    })
  })

  test('100 and 199 are no ringing, 101 to 189 are', () => {
    const rings = (code: number) => factsFrom([observed({ code })]).tries[0]?.views[0]?.first18x !== undefined
    expect([100, 199, 190].map(rings)).toEqual([false, false, false])
    expect([101, 180, 181, 182, 183, 189].map(rings)).toEqual([true, true, true, true, true, true])
  })

  test('an INVITE with a To-tag marks its transaction as a re-INVITE, and none of its times count', () => {
    const facts = factsFrom([observed({ toTag: 'to-1', cseqNumber: 2 })])
    expect(facts.tries[0]).toMatchObject({ reinvite: true, views: [] })
    expect(facts.tries[0]).not.toHaveProperty('invite')
  })

  test('who called whom is read from a response the other way round', () => {
    const message = observed({ code: 180, sourcePort: 5090 })
    const ends = factsOf(message, attemptKey(message, 'from-1'), identitiesOf).tries[0]?.ends
    expect(ends).toMatchObject({ sourceAddress: SBC, destinationAddress: FAR, destinationPort: 5090 })
  })
})
