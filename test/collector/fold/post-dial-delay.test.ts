import { describe, expect, test } from 'vitest'
import { failDelay, postDialDelay } from '../../../collector/fold/post-dial-delay.js'
import { agentTimes, triesOf } from '../../../collector/fold/tries.js'
import { factsFrom, type MessageFields, observed } from '../../support/messages.js'

function pdd(...messages: MessageFields[]) {
  const facts = factsFrom(messages.map(observed))
  const tries = triesOf(facts)!
  const isAnswered = tries.final !== undefined && tries.final.code < 300
  return postDialDelay(agentTimes(facts, tries), isAnswered)
}

function waited(...messages: MessageFields[]) {
  const facts = factsFrom(messages.map(observed))
  const tries = triesOf(facts)!
  return failDelay(agentTimes(facts, tries), tries.final?.code ?? 0)
}

describe('post-dial delay', () => {
  test('runs from the first INVITE to the first 18x', () => {
    expect(pdd({}, { at: 1.2, code: 180 }, { at: 5, code: 200 })).toEqual({ delayMs: 1_200 })
  })

  test('stops at the 200 when nothing rang before', () => {
    expect(pdd({}, { at: 0.02, code: 100 }, { at: 0.35, code: 200 })).toEqual({ delayMs: 350 })
  })

  test('takes the 200 where it came before the 18x', () => {
    expect(pdd({}, { at: 2, code: 200 }, { at: 3, code: 180 })).toEqual({ delayMs: 2_000 })
  })

  test('100 Trying does not stop the clock', () => {
    expect(pdd({}, { at: 0.1, code: 100 })).toEqual({ reason: 'no_ends' })
  })

  test('199 does not stop the clock', () => {
    expect(pdd({}, { at: 1, code: 199 }, { at: 2.4, code: 183 })).toEqual({ delayMs: 2_400 })
  })

  test('a failure without ringing has none', () => {
    expect(pdd({}, { at: 0.4, code: 503 })).toEqual({ reason: 'no_ends' })
  })

  test('a retransmitted INVITE does not restart the clock', () => {
    expect(pdd({}, { at: 0.5 }, { at: 1.5 }, { at: 3.1, code: 180 })).toEqual({ delayMs: 3_100 })
  })

  test('a challenged INVITE does not restart the clock', () => {
    const again = { cseqNumber: 2, branch: 'b2' }
    expect(
      pdd({}, { at: 0.02, code: 407 }, { at: 0.03, ...again }, { at: 1.2, code: 183, ...again }),
    ).toEqual({
      delayMs: 1_200,
    })
  })

  test('a redirect restarts the clock', () => {
    const again = { cseqNumber: 2, branch: 'b2' }
    expect(pdd({}, { at: 0.5, code: 302 }, { at: 0.6, ...again }, { at: 2.6, code: 180, ...again })).toEqual({
      delayMs: 2_000,
    })
  })

  test('the earliest 18x of all early dialogs counts', () => {
    expect(pdd({}, { at: 2, code: 180, toTag: 'x' }, { at: 1.5, code: 183, toTag: 'y' })).toEqual({
      delayMs: 1_500,
    })
  })

  test('is never taken between two clocks', () => {
    expect(pdd({ agent: 'a' }, { at: 1.2, code: 180, agent: 'b' })).toEqual({ reason: 'no_ends' })
  })

  test('is that of the agent that saw both ends', () => {
    expect(pdd({ agent: 'a' }, { at: 0.1, agent: 'b' }, { at: 1.2, code: 180, agent: 'b' })).toEqual({
      delayMs: 1_100,
    })
  })

  test('of two agents that saw both ends the lowest in text order counts', () => {
    expect(
      pdd(
        { at: 9, agent: 'b' },
        { at: 12, code: 180, agent: 'b' },
        { agent: 'a' },
        { at: 1.2, code: 180, agent: 'a' },
      ),
    ).toEqual({ delayMs: 1_200 })
  })

  test('an agent that saw it ring is preferred to one that saw only the answer', () => {
    expect(
      pdd(
        { agent: 'a' },
        { at: 5, code: 200, agent: 'a' },
        { agent: 'b' },
        { at: 1.2, code: 180, agent: 'b' },
      ),
    ).toEqual({ delayMs: 1_200 })
  })

  test('a clock that was set back gives a reason, not a negative number', () => {
    expect(pdd({ at: 5 }, { at: 3, code: 180 })).toEqual({ reason: 'clock_stepped' })
  })

  test('of a call that rings at once is zero', () => {
    expect(pdd({}, { code: 180 })).toEqual({ delayMs: 0 })
  })
})

describe('wait of a failed attempt', () => {
  test('runs from the first INVITE to the failure', () => {
    expect(waited({}, { at: 0.1, code: 100 }, { at: 0.4, code: 503 })).toEqual({ delayMs: 400 })
  })

  test('is not measured when it rang', () => {
    expect(waited({}, { at: 0.2, code: 180 }, { at: 0.4, code: 503 })).toEqual({ reason: 'no_ends' })
  })

  test('401, 402 and 407 are no failures, nor are 2xx and 3xx', () => {
    for (const code of [200, 302, 401, 402, 407])
      expect(waited({}, { at: 0.4, code })).toEqual({ reason: 'no_ends' })
  })

  test('is measured for every other 4xx, for 5xx and 6xx', () => {
    for (const code of [400, 404, 480, 487, 500, 603])
      expect(waited({}, { at: 0.4, code })).toEqual({ delayMs: 400 })
  })

  test('a clock that was set back gives a reason', () => {
    expect(waited({ at: 1 }, { at: 0.4, code: 404 })).toEqual({ reason: 'clock_stepped' })
  })
})
