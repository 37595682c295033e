import { describe, expect, it } from 'vitest'
import type { AttemptJson } from '../../../api/attempts/attempt-json.js'
import { explanationOf } from '../../../api/attempts/explanation.js'
import type { Arrow } from '../../../api/attempts/ladder.js'
import { isoUsOf } from '../../../api/time-span.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { attempt, ENDED, NOON_US } from '../support.js'

const RULES = { pre_ring_patience_ms: 4_000, ring_timers_s: [30, 60] }
const ID = 'f'.repeat(32)

function jsonOf(changes: Parameters<typeof attempt>[0]): AttemptJson {
  const record = attempt({ attemptId: ID, invitedAtUs: NOON_US, ...changes })
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      name
        .replace(/^q850/, 'q850_')
        .replace(/18xAt/, '_18x_at')
        .replace(/(100|180)At/, '_$1_at')
        .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
        .replace('__', '_'),
      value,
    ]),
  ) as AttemptJson
}

function arrow(
  number: number,
  ms: number,
  label: string,
  kind: Arrow['kind'],
  changes: Partial<Arrow> = {},
): Arrow {
  return {
    number,
    message: number - 1,
    attempt_id: ID,
    from: 0,
    to: 1,
    source_port: 5060,
    destination_port: 5060,
    kind,
    label,
    cseq: label === 'CANCEL' ? '1 CANCEL' : '1 INVITE',
    captured_at: isoUsOf(NOON_US + ms * 1_000),
    captured_at_us: NOON_US + ms * 1_000,
    offset_ms: ms,
    agent: '192.0.2.11/2001',
    also_seen: [],
    again_of: null,
    media: [],
    is_early_media: false,
    ...changes,
  }
}

const RINGING = [
  arrow(1, 0, 'INVITE', 'request'),
  arrow(2, 20, '100 Trying', 'provisional'),
  arrow(3, 300, '180 Ringing', 'provisional'),
  arrow(4, 2_000, '200 OK', 'success'),
]
const about = (topic: string, changes: Parameters<typeof attempt>[0], arrows = RINGING) =>
  explanationOf(jsonOf(changes), arrows, RULES).find((reason) => reason.topic === topic)

describe('explanation', () => {
  it('names the messages that made the disposition and the post-dial delay', () => {
    expect(about('disposition', {})).toMatchObject({ verdict: 'ANSWERED', arrows: [4] })
    expect(about('post_dial_delay', {})).toMatchObject({ verdict: '300 ms', arrows: [1, 3] })
    expect(about('post_dial_delay', {})!.because).toContain('180 Ringing')
    expect(about('cancel_class', {})).toBeUndefined()
  })

  it('measures on the clock of the agent that saw both ends', () => {
    const skewed = RINGING.map((one) =>
      one.number === 3
        ? { ...one, captured_at_us: NOON_US + 9_000_000, agent: 'b', also_seen: [] }
        : one.number === 1
          ? { ...one, also_seen: [{ agent: 'b', captured_at: '', later_ms: 8_700 }] }
          : one,
    )
    expect(about('post_dial_delay', {}, skewed)!.arrows).toEqual([1, 3])
    expect(about('post_dial_delay', {}, skewed)!.because).toContain('one agent that saw both')
  })

  it('says why there is no post-dial delay', () => {
    expect(about('post_dial_delay', ENDED.preRing, [])!.because).toContain('heard nothing')
    expect(about('post_dial_delay', { pddMs: null, invited: false })!.because).toContain('not seen')
    expect(about('post_dial_delay', { pddMs: null, flags: ['clock_stepped'] })!.because).toContain('set back')
    expect(about('post_dial_delay', {}, [])!.because).toContain('not stored any more')
  })

  it('a cancelled call has its class, its messages, and what the class counts for', () => {
    const changes = { ...ENDED.preRing, cancelledAtUs: NOON_US + 5_000_000, finalAtUs: NOON_US + 5_100_000 }
    const arrows = [
      RINGING[0]!,
      arrow(2, 5_000, 'CANCEL', 'request'),
      arrow(3, 5_100, '487 Request Terminated', 'failure'),
    ]
    expect(about('cancel_class', changes, arrows)).toEqual({
      topic: 'cancel_class',
      verdict: 'PRE_RING_CANCEL',
      because: 'cancelled after 5.00 s without any 18x; the patience of a caller is 4.00 s',
      arrows: [2, 3],
    })
    expect(about('disposition', changes, arrows)!.arrows).toEqual([2, 3])
    expect(about('service_level', changes, arrows)!.because).toContain('4.00 s')
  })

  it.each<[Partial<Attempt>, RegExp]>([
    [{ ...ENDED.busy }, /status code decides: 486 Busy Here/],
    [
      { ...ENDED.congestion, q850Cause: 34, q850Location: 'LN' },
      /Q\.850 cause 34 at LN: .* before the status code/,
    ],
    [{ finalCode: 302, finalPhrase: 'Moved', disposition: 'REDIRECT' }, /3xx/],
    [{ finalCode: 407, finalPhrase: 'Auth', disposition: 'AUTH' }, /challenge/],
    [{ finalCode: 0, finalPhrase: '', disposition: 'TIMEOUT' }, /no final response/],
    [{ finalCode: 603, finalPhrase: 'Network Blocked', disposition: 'BLOCKED' }, /blocked the call/],
    [{ finalCode: 438, finalPhrase: 'Invalid', disposition: 'IDENTITY' }, /Identity header was refused/],
    [{ finalCode: 480, finalPhrase: 'x', disposition: 'NO_ANSWER', rang: false }, /had not rung/],
    [{ state: 'open' as const }, /no end has been seen/],
    [{ state: 'incomplete' as const }, /in no ratio/],
  ])('%o: %s', (changes, sentence) => {
    expect(about('disposition', changes)!.because).toMatch(sentence)
  })
})
