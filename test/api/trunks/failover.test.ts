import { expect, test } from 'vitest'
import { type CallsOfMinute, failoverOf } from '../../../api/trunks/failover.js'

const DOWN_S = 1_795_176_000
const calls = (trunk: string, before: number, after: number): CallsOfMinute[] => [
  { trunk, minuteS: DOWN_S - 600, callsOut: before },
  // The minutes in which it was failing already count on neither side.
  { trunk, minuteS: DOWN_S - 120, callsOut: 1_000 },
  { trunk, minuteS: DOWN_S + 60, callsOut: after },
  { trunk, minuteS: DOWN_S + 600, callsOut: 1_000 },
]
const seen = (...minutes: CallsOfMinute[][]) => failoverOf(minutes.flat(), { trunk: 'a', atS: DOWN_S })

test('calls that turn up on another trunk of the carrier have moved', () => {
  expect(seen(calls('a', 100, 2), calls('b', 50, 140), calls('c', 10, 9))).toEqual({
    trunk: 'a',
    atS: DOWN_S,
    callsBefore: 100,
    callsAfter: 2,
    to: [{ trunk: 'b', callsBefore: 50, callsAfter: 140 }],
    verdict: 'moved',
  })
})

test('no failover is seen when fewer than half of the lost calls turn up, or none were lost', () => {
  expect(seen(calls('a', 100, 0), calls('b', 50, 99))!.verdict).toBe('not_seen')
  expect(seen(calls('a', 100, 0), calls('b', 50, 100))!.verdict).toBe('moved')
  expect(seen(calls('a', 100, 100), calls('b', 50, 500))!.verdict).toBe('not_seen')
  expect(seen(calls('a', 100, 0))!.verdict).toBe('not_seen')
})

test('a trunk that is still tried with half of its calls has moved partly', () => {
  expect(seen(calls('a', 100, 50), calls('b', 0, 50))!.verdict).toBe('partly')
})

test('a trunk with fewer than 20 calls before says nothing', () => {
  expect(seen(calls('a', 19, 0), calls('b', 0, 19))).toBeUndefined()
  expect(seen(calls('b', 0, 19))).toBeUndefined()
})
