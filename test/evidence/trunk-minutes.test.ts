import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  noCounts,
  type OptionsExchange,
  TIMER_F_US,
  type TrunkCalls,
  trunkMinutes,
} from '../../evidence/trunk-minutes.js'
import { ADDRESSES_MAX, OTHER_ADDRESSES, type Trunk } from '../../schemas/trunks.js'
import { NOON_S, NOON_US } from '../api/support.js'

const TRUNK: Trunk = { carrier: 'alpha', site: 'dal', farAddress: '198.51.100.10', farPort: 0 }
const HEARD = new Map([['a', NOON_US + 3_600e6]])

function ping(atS: number, status: number, changes: Partial<OptionsExchange> = {}): OptionsExchange {
  const sentAtUs = NOON_US + atS * 1e6
  const answeredAtUs = status === 0 ? 0 : sentAtUs + 20_000
  return { trunk: TRUNK, from: 'us', agent: 'a', sentAtUs, status, answeredAtUs, ...changes }
}
const countsOf = (exchanges: OptionsExchange[], heard = HEARD) =>
  trunkMinutes(exchanges, [], heard)[0]?.counts

describe('minutes of trunks', () => {
  test('any final response is a sign of life; 503 and other 5xx are counted apart', () => {
    expect(countsOf([ping(0, 200), ping(10, 405), ping(20, 404), ping(30, 503), ping(40, 500)])).toEqual({
      ...noCounts(),
      optionsAnswered: 3,
      options503: 1,
      options5xx: 1,
      lastLifeUs: NOON_US + 40_020_000,
      lastOptionsUs: NOON_US + 40e6,
      lastOptionsStatus: 500,
    })
  })

  test('a response at Timer F counts, one after it does not', () => {
    const late = { status: 200, answeredAtUs: NOON_US + TIMER_F_US }
    expect(countsOf([ping(0, 200, late)])).toMatchObject({ optionsAnswered: 1, optionsUnanswered: 0 })
    const later = { status: 200, answeredAtUs: NOON_US + TIMER_F_US + 1 }
    expect(countsOf([ping(0, 200, later)])).toMatchObject({ optionsAnswered: 0, optionsUnanswered: 1 })
  })

  test('an exchange without an answer waits until its agent was heard of after Timer F', () => {
    const heardUntil = (us: number) => new Map([['a', NOON_US + us]])
    expect(countsOf([ping(0, 0)], heardUntil(TIMER_F_US - 1))).toMatchObject({
      optionsPending: 1,
      optionsUnanswered: 0,
    })
    expect(countsOf([ping(0, 0)], heardUntil(TIMER_F_US))).toMatchObject({
      optionsPending: 0,
      optionsUnanswered: 1,
    })
    expect(countsOf([ping(0, 0)], new Map([['b', NOON_US + 60e6]]))).toMatchObject({ optionsPending: 1 })
  })

  test('what got no answer counts in a row from the last sign of life on', () => {
    expect(countsOf([ping(0, 0), ping(10, 200), ping(20, 0), ping(30, 0)])).toMatchObject({
      unansweredAfter: 2,
    })
    expect(countsOf([ping(0, 0), ping(10, 0), ping(20, 200)])).toMatchObject({ unansweredAfter: 0 })
    const theirs = ping(40, 0, { from: 'them' })
    expect(countsOf([ping(20, 0), ping(30, 0), theirs])).toMatchObject({ unansweredAfter: 0, optionsIn: 1 })
  })

  test('calls and OPTIONS of a trunk are one row', () => {
    const calls: TrunkCalls = {
      trunk: TRUNK,
      minuteS: NOON_S,
      callsOut: 5,
      callsIn: 1,
      callsResponded: 3,
      calls503: 1,
      callsUnanswered: 2,
      lastLifeUs: NOON_US + 15e6,
      unansweredAtUs: [NOON_US + 10e6, NOON_US + 30e6],
    }
    const [row, ...more] = trunkMinutes([ping(20, 0)], [calls], HEARD)
    expect(more).toEqual([])
    expect(row!.counts).toMatchObject({
      callsOut: 5,
      callsUnanswered: 2,
      optionsUnanswered: 1,
      unansweredAfter: 2,
    })
  })

  test('ten thousand far addresses: the busiest keep their names, the rest is one row without a judgement', () => {
    const exchanges = Array.from({ length: 10_000 }, (_, at) =>
      ping(0, 0, { trunk: { ...TRUNK, farAddress: `198.51.${at >> 8}.${at & 255}` } }),
    )
    const busy = [ping(1, 200), ping(2, 200)]
    const rows = trunkMinutes([...exchanges, ...busy], [], HEARD)
    expect(rows).toHaveLength(ADDRESSES_MAX + 1)
    expect(rows[0]!.trunk.farAddress).toBe(TRUNK.farAddress)
    const rest = rows.find(({ trunk }) => trunk.farAddress === OTHER_ADDRESSES)!
    expect(rest.counts).toMatchObject({
      optionsUnanswered: 10_001 - ADDRESSES_MAX,
      unansweredAfter: 0,
      lastOptionsUs: 0,
    })
  })

  test('the rows do not depend on the order (property)', () => {
    const anyPing = fc
      .record({
        atS: fc.integer({ min: 0, max: 130 }),
        status: fc.constantFrom(0, 200, 404, 500, 503),
        delayUs: fc.integer({ min: -1_000, max: 40_000_000 }),
        address: fc.constantFrom('198.51.100.10', '198.51.100.11'),
        from: fc.constantFrom('us', 'them' as const),
        agent: fc.constantFrom('a', 'b'),
      })
      .map(({ atS, status, delayUs, address, from, agent }) =>
        ping(atS, status, {
          answeredAtUs: status === 0 ? 0 : NOON_US + atS * 1e6 + delayUs,
          trunk: { ...TRUNK, farAddress: address },
          from: from as 'us',
          agent,
        }),
      )
    const sorted = (exchanges: OptionsExchange[]) =>
      trunkMinutes(exchanges, [], new Map([['a', NOON_US + 90e6]]))
        .map((row) => JSON.stringify([row.minuteS, row.trunk.farAddress, row.counts]))
        .sort()
    fc.assert(
      fc.property(
        fc
          .array(anyPing, { maxLength: 30 })
          .chain((list) =>
            fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
          ),
        ([list, shuffled]) => {
          expect(sorted(shuffled)).toEqual(sorted(list))
        },
      ),
    )
  })
})
