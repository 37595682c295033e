import { describe, expect, test } from 'vitest'
import { agentTimes, deltaMs, triesOf } from '../../../collector/fold/tries.js'
import { factsFrom, type MessageFields, observed, START_US } from '../../support/messages.js'

const AGAIN = { cseqNumber: 2, branch: 'b2' }
const facts = (...messages: MessageFields[]) => factsFrom(messages.map(observed))
const tries = (...messages: MessageFields[]) => triesOf(facts(...messages))
const seconds = (atUs: number | undefined) => (atUs === undefined ? undefined : (atUs - START_US) / 1_000_000)
const times = (...messages: MessageFields[]) => {
  const all = facts(...messages)
  return agentTimes(all, triesOf(all)!)
}

describe('tries', () => {
  test('an INVITE transaction is a try: CSeq and top Via branch', () => {
    expect(tries({}, { at: 0.5 }, { code: 407 }, AGAIN, { branch: 'other' })?.all).toHaveLength(3)
  })

  test('the outcome is that of the try with the highest CSeq', () => {
    expect(
      tries({ at: 9 }, { at: 10, code: 503 }, { at: 1, ...AGAIN }, { at: 2, code: 404, ...AGAIN })?.final
        ?.code,
    ).toBe(404)
  })

  test('of two tries with one CSeq the one that began later decides', () => {
    const first = { branch: 'z' }
    const second = { branch: 'a' }
    const decided = tries(
      { at: 1, ...first },
      { at: 3, code: 486, ...first },
      { at: 2, ...second },
      { at: 9, code: 503, ...second },
    )
    expect(decided?.final?.code).toBe(503)
  })

  test('a last try without an outcome leaves the attempt without one', () => {
    expect(tries({}, { code: 503 }, AGAIN)?.final).toBeUndefined()
  })

  test('an answered try ends the hunting', () => {
    expect(
      tries({}, { at: 1, code: 200 }, { at: 2, ...AGAIN }, { at: 3, code: 503, ...AGAIN })?.final?.code,
    ).toBe(200)
  })

  test('a re-INVITE is no try, nor are its responses', () => {
    const all = tries({}, { code: 200 }, { at: 9, toTag: 'to-1', ...AGAIN }, { at: 10, code: 488, ...AGAIN })
    expect(all?.all).toHaveLength(1)
    expect(all?.final?.code).toBe(200)
  })

  test('after an answer a response without its INVITE is taken for that of a re-INVITE', () => {
    expect(tries({}, { code: 200 }, { at: 10, code: 488, ...AGAIN })?.all).toHaveLength(1)
  })

  test('before an answer a response without its INVITE is a try', () => {
    expect(tries({}, { code: 407 }, { at: 1, code: 404, ...AGAIN })?.all).toHaveLength(2)
  })

  test('of several final responses to one try the first counts, and a 2xx before all', () => {
    expect(tries({}, { at: 2, code: 486 }, { at: 1, code: 480 })?.final?.code).toBe(480)
    expect(tries({}, { at: 1, code: 480 }, { at: 2, code: 200 })?.final?.code).toBe(200)
  })

  test('messages that are only of a dialog are no try', () => {
    expect(tries({ cseqMethod: 'BYE' }, { cseqMethod: 'ACK' })).toBeUndefined()
    expect(tries({ toTag: 'to-1' })).toBeUndefined()
  })

  describe('a message that lost its Via', () => {
    test('belongs to the try of its CSeq', () => {
      const all = tries({}, { at: 1, code: 180, branch: '' }, { at: 5, code: 486, branch: '' })
      expect(all?.all).toHaveLength(1)
      expect(all?.final?.code).toBe(486)
    })

    test('belongs to the latest try of that CSeq', () => {
      const all = tries({ branch: 'a' }, { at: 1, branch: 'b' }, { at: 5, code: 486, branch: '' })
      expect(all?.last.branch).toBe('b')
      expect(all?.final?.code).toBe(486)
    })

    test('stands alone where no try of its CSeq was seen', () => {
      expect(
        tries({}, { at: 1, code: 407 }, { at: 5, code: 486, cseqNumber: 2, branch: '' })?.final?.code,
      ).toBe(486)
    })

    test('leaves the facts as they were', () => {
      const all = facts({}, { at: 1, code: 180, branch: '' })
      const before = JSON.stringify(all)
      triesOf(all)
      expect(JSON.stringify(all)).toBe(before)
    })
  })
})

describe('times of an agent', () => {
  test('each agent has its own, in text order', () => {
    const [a, b] = times({ agent: 'b', at: 3 }, { agent: 'a' }, { agent: 'a', at: 1, code: 180 })
    expect([a?.agent, b?.agent]).toEqual(['a', 'b'])
    expect([seconds(a?.invited), seconds(b?.invited)]).toEqual([0, 3])
    expect(b?.first18x).toBeUndefined()
  })

  test('after a redirect the INVITE is that of the next try', () => {
    expect(seconds(times({}, { at: 1, code: 302 }, { at: 2, ...AGAIN })[0]?.invited)).toBe(2)
  })

  test('a redirect that was not followed leaves the INVITE it answers', () => {
    expect(seconds(times({}, { at: 1, code: 302 })[0]?.invited)).toBe(0)
  })

  test('the CANCEL is that of the deciding try', () => {
    const cancel = { at: 3, cseqMethod: 'CANCEL', branch: 'x' }
    expect(
      times({ branch: 'x' }, { at: 1, branch: 'y' }, cancel, { at: 4, code: 200, branch: 'y' })[0]?.cancelled,
    ).toBeUndefined()
  })

  describe('retransmissions', () => {
    const at = (...stamps: number[]) => times(...stamps.map((stamp) => ({ at: stamp })))[0]?.retransmissions

    test('a second INVITE within 50 ms is a copy of the same packet', () => {
      expect(at(0, 0.00001)).toBe(0)
      expect(at(0, 0.05)).toBe(0)
    })

    test('one that comes later is a retransmission', () => {
      expect(at(0, 0.050001)).toBe(1)
      expect(at(0, 0.5, 1.5, 3.5)).toBe(3)
    })

    test('copies of a retransmission are copies', () => {
      expect(at(0, 0.00002, 0.5, 0.52, 1.5)).toBe(2)
    })

    test('the INVITE of the next try is none', () => {
      expect(times({}, { at: 1, code: 407 }, { at: 2, ...AGAIN })[0]?.retransmissions).toBe(0)
    })

    test('another agent’s view is none', () => {
      expect(times({ agent: 'a' }, { agent: 'b', at: 0.5 }).map((agent) => agent.retransmissions)).toEqual([
        0, 0,
      ])
    })
  })
})

describe('delta', () => {
  const seen = [
    { agent: 'a', invited: 5_000_000, retransmissions: 0 },
    { agent: 'b', invited: 1_000_000, first18x: 2_500_000, retransmissions: 0 },
  ]

  test('is taken at the first agent that has both ends', () => {
    expect(
      deltaMs(
        seen,
        (agent) => agent.invited,
        (agent) => agent.first18x,
      ),
    ).toEqual({ delayMs: 1_500 })
  })

  test('is refused when it would be negative', () => {
    expect(
      deltaMs(
        seen,
        (agent) => agent.first18x,
        (agent) => agent.invited,
      ),
    ).toEqual({ reason: 'clock_stepped' })
  })

  test('has no value without both ends', () => {
    expect(
      deltaMs(
        seen,
        (agent) => agent.invited,
        (agent) => agent.bye,
      ),
    ).toEqual({ reason: 'no_ends' })
  })
})
