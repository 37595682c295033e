import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addMessage, noFacts } from '../../../collector/fold/add-message.js'
import { attemptKey, dialogTags, factsOf, mergeFacts } from '../../../collector/fold/attempt-facts.js'
import type { AttemptFacts } from '../../../schemas/attempt-facts.js'
import { anyMessage } from '../../support/any-message.js'
import { copyOf, factsFrom, identitiesOf, observed, sortedFacts } from '../../support/messages.js'

const KEY = attemptKey(observed({}), 'from-1')
const isOfAttempt = (message: Parameters<typeof dialogTags>[0]) =>
  dialogTags(message)?.includes('from-1') === true
const ofAttempt = anyMessage.filter(isOfAttempt)
const few = fc.array(ofAttempt, { maxLength: 12 })
const many = fc.array(ofAttempt, { maxLength: 250, size: 'max' })

describe('one message more', () => {
  test('adds what merging its facts adds, to any facts, caps included', () => {
    fc.assert(
      fc.property(fc.oneof(few, many), ofAttempt, (before, message) => {
        const facts: AttemptFacts = { ...factsFrom(before), key: KEY }
        const [added, merged] = [copyOf(facts), copyOf(facts)]
        addMessage(added, message, identitiesOf)
        mergeFacts(merged, factsOf(message, KEY, identitiesOf))
        expect(sortedFacts(added)).toEqual(sortedFacts(merged))
      }),
      { numRuns: 300 },
    )
  })

  test('one after another, in any order and twice, gives what merging them in order gives', () => {
    fc.assert(
      fc.property(
        fc
          .oneof(few, many)
          .chain((messages) =>
            fc.tuple(
              fc.constant(messages),
              fc.shuffledSubarray([...messages, ...messages], { minLength: 2 * messages.length }),
            ),
          ),
        ([messages, order]) => {
          const facts = noFacts(KEY)
          for (const message of order) addMessage(facts, message, identitiesOf)
          expect(sortedFacts(facts)).toEqual(sortedFacts({ ...factsFrom(messages), key: KEY }))
        },
      ),
      { numRuns: 200 },
    )
  })

  test('keeps nothing of the message that would grow with it', () => {
    const facts = noFacts(KEY)
    addMessage(
      facts,
      observed({ code: 486, reasonPhrase: 'x'.repeat(9_000), reasons: ['y'.repeat(9_000)] }),
      identitiesOf,
    )
    const [final] = facts.tries[0]?.finals ?? []
    expect([final?.phrase.length, final?.reasons[0]?.length]).toEqual([512, 512])
  })
})
