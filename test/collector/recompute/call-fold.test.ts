import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldOf } from '../../../collector/fold-wiring.js'
import { CallFold, MESSAGES_A_CALL_MAX } from '../../../collector/recompute/call-fold.js'
import { configSchema } from '../../../schemas/config.js'
import type { ObservedMessage } from '../../../schemas/observed-message.js'
import { anyMessage } from '../../support/any-message.js'
import { copyOf, factsFrom, identitiesOf, observed, sortedFacts } from '../../support/messages.js'

const FOLD = foldOf(configSchema.parse({}))

function folded(messages: readonly ObservedMessage[]): CallFold {
  const call = new CallFold('call-1', { ...FOLD, addMessage })
  for (const message of messages) call.add(message)
  return call
}

/** Identities by their text, as the messages of these tests have them. */
const { addMessage: add } = await import('../../../collector/fold/add-message.js')
const addMessage: typeof FOLD.addMessage = (facts, message) => add(facts, message, identitiesOf)

const attemptOf = (call: CallFold, fromTag = 'from-1') =>
  call.attempts().find(({ facts }) => facts.key.fromTag === fromTag)?.facts

describe('call fold', () => {
  test('gives the facts that merging message by message gives, in any order', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 60 }), (messages) => {
        const facts = attemptOf(folded([observed({}), ...messages]))
        expect(facts && sortedFacts(facts)).toEqual(sortedFacts(factsFrom([observed({}), ...messages])))
      }),
    )
  })

  test("the callee's BYE goes to the caller's attempt, though it came first", () => {
    const bye = observed({ at: 9, cseqMethod: 'BYE', fromFar: true, fromTag: 'to-1', toTag: 'from-1' })
    const attempts = folded([bye, observed({})]).attempts()
    expect(attempts.map(({ facts }) => [facts.key.fromTag, facts.byes.length])).toEqual([['from-1', 1]])
  })

  test('without an INVITE a BYE goes to both candidates', () => {
    const bye = observed({ cseqMethod: 'BYE', toTag: 'to-1' })
    const tags = folded([bye])
      .attempts()
      .map(({ facts }) => facts.key.fromTag)
    expect(tags.sort()).toEqual(['from-1', 'to-1'])
  })

  test('has all of the facts of its messages, and misses the one that is gone', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 40 }), (messages) => {
        const call = folded(messages)
        const all = factsFrom(messages)
        expect(call.hasAllOf(copyOf(all))).toBe(true)
      }),
    )
    const messages = [observed({}), observed({ at: 1, code: 180 }), observed({ at: 5, code: 200 })]
    for (const gone of messages) {
      const rest = folded(messages.filter((message) => message !== gone))
      expect(rest.hasAllOf(factsFrom(messages)), String(gone.message.statusCode)).toBe(false)
    }
  })

  test('leaves out a message that is now read under another Call-ID, and one that cannot be read', () => {
    const call = folded([observed({}), observed({ callId: 'call-2' }), observed({ parseError: 'no_cseq' })])
    expect(call.unplaced).toBe(1)
    expect(call.messages).toBe(3)
    expect(call.attempts()).toHaveLength(1)
  })

  test('more messages than a call can have are too long, and take no memory', () => {
    const call = folded([])
    const message = observed({})
    for (let at = 0; at <= MESSAGES_A_CALL_MAX; at++) call.add(message)
    expect(call.isTooLong).toBe(true)
  })
})
