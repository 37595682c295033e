import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AlertRow,
  alertKey,
  type Condition,
  FLAP_QUIET_US,
  noticeOf,
  stepAlerts,
} from '../../../api/alerts/state.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'

const MINUTE_US = 60e6
const TIMING = { forUs: 2 * MINUTE_US, keepFiringUs: 3 * MINUTE_US }

function condition(carrier: string, changes: Partial<Condition> = {}): Condition {
  return {
    rule: 'ner-low',
    severity: 'page',
    sinks: ['pager'],
    labels: { alertname: 'ner-low', carrier },
    annotations: { summary: `${carrier} is low` },
    details: { numerator: 1 },
    sites: ['dal'],
    held: '',
    ...changes,
  }
}

/** What holds in one minute, by carrier, with why it is held; `blind`: sites that nobody sees. */
interface Minute {
  holds: Record<string, string>
  blind: boolean
}

function stepOf(minute: number, { blind }: Pick<Minute, 'blind'>) {
  return {
    atUs: (minute + 1) * MINUTE_US,
    timings: new Map([['ner-low', TIMING]]),
    heldOf: () => (blind ? 'nobody sees dal' : ''),
  }
}

/** Plays minutes; `cutAt`: a process dies there after it stored, before it told. */
function play(minutes: readonly Minute[], shuffle: <T>(list: T[]) => T[] = (list) => list, cutAt = -1) {
  let rows = new Map<string, AlertRow>()
  const told = new Map<string, AlertNotice>()
  const tell = (owed: readonly AlertRow[]) => {
    for (const row of owed) {
      told.set(`${row.key}.${row.transition}`, noticeOf(row))
      rows.set(row.key, { ...row, told: true, version: row.version + 1 })
    }
  }
  minutes.forEach((minute, index) => {
    rows = new Map(
      (JSON.parse(JSON.stringify([...rows])) as [string, AlertRow][]).map(([key, row]) => [key, row]),
    )
    tell([...rows.values()].filter((row) => !row.told))
    const conditions = Object.entries(minute.holds).map(([carrier, held]) => condition(carrier, { held }))
    const { changed } = stepAlerts(shuffle([...rows.values()]), shuffle(conditions), stepOf(index, minute))
    for (const row of changed) rows.set(row.key, row)
    if (index !== cutAt) tell(changed.filter((row) => !row.told))
  })
  tell([...rows.values()].filter((row) => !row.told))
  return { told: [...told.values()], rows: [...rows.values()] }
}

const holding = (count: number): Minute[] =>
  Array.from({ length: count }, () => ({ holds: { alpha: '' }, blind: false }))
const quiet = (count: number): Minute[] => Array.from({ length: count }, () => ({ holds: {}, blind: false }))
const texts = (notices: readonly AlertNotice[]) =>
  notices.map(
    ({ status, transition, startsAtUs, endsAtUs }) =>
      `${status} ${transition} at ${(endsAtUs ?? startsAtUs) / MINUTE_US}`,
  )

describe('states of an alert', () => {
  it('it waits in pending for so long without a break, and then is told once', () => {
    expect(play(holding(2)).told).toEqual([])
    expect(texts(play(holding(10)).told)).toEqual(['firing 1 at 3'])
    expect(play([...holding(2), ...quiet(1), ...holding(2)]).told).toEqual([])
  })

  it('it is resolved when the condition was over for so long, and not at the first gap', () => {
    expect(texts(play([...holding(5), ...quiet(2), ...holding(5)]).told)).toEqual(['firing 1 at 3'])
    expect(texts(play([...holding(5), ...quiet(10)]).told)).toEqual(['firing 1 at 3', 'resolved 2 at 8'])
  })

  it('one that flaps is not told anew within a quarter of an hour of its end', () => {
    const { told, rows } = play([...holding(5), ...quiet(5), ...holding(10)])
    expect(texts(told)).toEqual(['firing 1 at 3', 'resolved 2 at 8'])
    expect(rows[0]).toMatchObject({ state: 'pending', held: expect.stringContaining('flaps') })
    expect(texts(play([...holding(5), ...quiet(5), ...holding(20)]).told).at(-1)).toBe(
      `firing 3 at ${8 + FLAP_QUIET_US / MINUTE_US}`,
    )
  })

  it('while it is held it does not fire, and its clock starts when it is not held any more', () => {
    const held: Minute[] = Array.from({ length: 30 }, () => ({
      holds: { alpha: 'nobody sees dal' },
      blind: true,
    }))
    expect(play(held).told).toEqual([])
    expect(texts(play([...held, ...holding(5)]).told)).toEqual(['firing 1 at 32'])
  })

  it('what fires and cannot be seen any more is not resolved until it was seen to be over', () => {
    const blind: Minute[] = Array.from({ length: 30 }, () => ({ holds: {}, blind: true }))
    const { rows } = play([...holding(5), ...blind])
    expect(rows[0]).toMatchObject({ state: 'firing', held: 'nobody sees dal' })
    expect(texts(play([...holding(5), ...blind, ...quiet(5)]).told).at(-1)).toBe('resolved 2 at 38')
  })

  it('alerts of a rule that is gone are resolved', () => {
    const { rows } = play(holding(5))
    const { notices } = stepAlerts(rows, [], {
      atUs: 6 * MINUTE_US,
      timings: new Map(),
      heldOf: () => 'nobody sees dal',
    })
    expect(notices).toMatchObject([{ status: 'resolved', transition: 2 }])
  })

  it('the key is of the rule and the labels in any order: 32 hex digits', () => {
    expect(alertKey('a', { x: '1', y: '2' })).toBe(alertKey('a', { y: '2', x: '1' }))
    expect(alertKey('a', { x: '1' })).toMatch(/^[0-9a-f]{32}$/)
    expect(alertKey('b', { x: '1' })).not.toBe(alertKey('a', { x: '1' }))
  })
})

const minutes = fc.array(
  fc.record({
    holds: fc.dictionary(fc.constantFrom('alpha', 'beta', 'gamma'), fc.constantFrom('', '', '', 'held'), {
      noNullPrototype: true,
    }),
    blind: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
)

describe('properties', () => {
  it('the order of rows and conditions does not matter', () => {
    fc.assert(
      fc.property(minutes, (given) => {
        const reversed = play(given, (list) => list.reverse())
        expect(new Set(texts(reversed.told))).toEqual(new Set(texts(play(given).told)))
        expect(reversed.rows.map(({ key, state }) => `${key}${state}`).sort()).toEqual(
          play(given)
            .rows.map(({ key, state }) => `${key}${state}`)
            .sort(),
        )
      }),
      { numRuns: 100 },
    )
  })

  it('a process that dies at any minute between deciding and telling gives the same notices', () => {
    fc.assert(
      fc.property(minutes, fc.nat(59), (given, cutAt) => {
        const ids = (notices: readonly AlertNotice[]) =>
          notices
            .map((notice) =>
              JSON.stringify([
                notice.key,
                notice.transition,
                notice.status,
                notice.startsAtUs,
                notice.endsAtUs ?? 0,
              ]),
            )
            .sort()
        expect(ids(play(given, undefined, cutAt).told)).toEqual(ids(play(given).told))
      }),
      { numRuns: 100 },
    )
  })

  it('what is told alternates, firing odd and resolved even, without a gap', () => {
    fc.assert(
      fc.property(minutes, (given) => {
        const byKey = new Map<string, AlertNotice[]>()
        for (const notice of play(given).told)
          byKey.set(notice.key, [...(byKey.get(notice.key) ?? []), notice])
        for (const notices of byKey.values()) {
          notices.forEach(({ status, transition }, index) => {
            expect(transition).toBe(index + 1)
            expect(status).toBe(index % 2 === 0 ? 'firing' : 'resolved')
          })
        }
      }),
      { numRuns: 100 },
    )
  })
})
