import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GRAIN_S, type Grain, type Parts } from '../../../api/kpi/grains.js'
import { piecesOf } from '../../../api/kpi/pieces.js'

/** 2026-11-16T00:00:00Z. */
const MONDAY_S = 1_794_787_200
const at = (hours: number, minutes = 0) => MONDAY_S + hours * 3_600 + minutes * 60
const parts = (some: Partial<Parts>): Parts => ({ minute: [], hour: [], day: [], ...some })
const shownOf = (pieces: ReturnType<typeof piecesOf>) =>
  pieces.map(({ grain, fromS, toS, state }) => [
    grain,
    (fromS - MONDAY_S) / 60,
    (toS - MONDAY_S) / 60,
    state ?? 'changing',
  ])

it('minutes of an hour that is over are cut at every tenth, hours that follow each other are one piece', () => {
  const pieces = piecesOf(
    parts({
      minute: [
        { fromS: at(9, 34), toS: at(10) },
        { fromS: at(12), toS: at(12, 34) },
      ],
      hour: [{ fromS: at(10), toS: at(12) }],
    }),
    { stateOf: (_, startS) => (startS === at(12) ? undefined : `s${(startS - MONDAY_S) / 3_600}`) },
  )
  expect(shownOf(pieces)).toEqual([
    ['minute', 574, 580, 's9'],
    ['minute', 580, 590, 's9'],
    ['minute', 590, 600, 's9'],
    ['minute', 720, 754, 'changing'],
    ['hour', 600, 720, 's10 s11'],
  ])
})

it('hours of which one is behind are not kept', () => {
  const pieces = piecesOf(parts({ hour: [{ fromS: at(10), toS: at(13) }] }), {
    stateOf: (_, startS) => (startS === at(11) ? undefined : ''),
  })
  expect(shownOf(pieces)).toEqual([['hour', 600, 780, 'changing']])
})

it('a range in very many pieces is not kept, and told apart no more than it has to be', () => {
  const hour = Array.from({ length: 30 }, (_, index) => ({ fromS: at(index * 2), toS: at(index * 2 + 1) }))
  const minute = Array.from({ length: 30 }, (_, index) => ({
    fromS: at(index * 2 + 1),
    toS: at(index * 2 + 2),
  }))
  const pieces = piecesOf(parts({ hour, minute: [...minute, { fromS: at(60), toS: at(64) }] }), {
    stateOf: () => '',
  })
  expect(pieces.every(({ state }) => state === undefined)).toBe(true)
  expect(pieces).toHaveLength(60)
})

it('pieces hold each minute of the parts once, and kept ones only what is not behind', () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 }))
  const behind = fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { maxLength: 60 })
  fc.assert(
    fc.property(fc.array(range, { maxLength: 4 }), behind, (gaps, behindHours) => {
      const minute: Parts['minute'] = []
      let endS = MONDAY_S
      for (const [gap, length] of gaps) {
        minute.push({ fromS: endS + gap * 60, toS: endS + (gap + length) * 60 })
        endS += (gap + length) * 60
      }
      const hour = [{ fromS: at(100), toS: at(104) }]
      const isBehind = (startS: number) => behindHours.includes((startS - MONDAY_S) / 3_600)
      const pieces = piecesOf(parts({ minute, hour }), {
        stateOf: (_, startS) => (isBehind(startS) ? undefined : String(startS)),
      })
      const minutesOf = (ranges: readonly { fromS: number; toS: number }[]) =>
        ranges
          .flatMap(({ fromS, toS }) =>
            Array.from({ length: (toS - fromS) / 60 }, (_, index) => fromS + index * 60),
          )
          .sort((a, b) => a - b)
      const of = (grain: Grain) => pieces.filter((piece) => piece.grain === grain)
      expect(minutesOf(of('minute'))).toEqual(minutesOf(minute))
      expect(minutesOf(of('hour'))).toEqual(minutesOf(hour))
      for (const piece of pieces) {
        if (piece.state === undefined) continue
        const hours = minutesOf([piece]).map((minuteS) => minuteS - (minuteS % GRAIN_S.hour))
        expect(hours.some(isBehind)).toBe(false)
      }
    }),
  )
})
