/** Rules of the configuration begin and end, and leave out what is in maintenance; minute by minute. */
import { describe, expect, it } from 'vitest'
import { configSchema } from '../../../../schemas/config.js'
import { played } from '../played.js'
import type { Lane } from '../week.js'

const WEEK_S = 7 * 86_400
const WEDNESDAY_S = Date.parse('2026-11-18T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => WEDNESDAY_S + hour * 3_600 + minute * 60

const RULES = [
  { id: 'level', kpi: 'ner', below: 0.9, window_minutes: 15 },
  { id: 'past', kpi: 'ner', compare: 'past_weeks', below: 0.1, window_minutes: 15 },
  { id: 'beside', kpi: 'ner', compare: 'peers', below: 0.1, window_minutes: 15 },
]
const config = (maintenance: unknown[] = []) =>
  configSchema.parse({
    sites: ['dal', 'fra'].map((id, index) => ({ id, sbc: [`192.0.2.${index + 1}/32`] })),
    carriers: ['alpha', 'beta'].map((id, index) => ({ id, peers: [`198.51.100.${index + 1}/32`] })),
    maintenance,
    alerts: { burn: false, carrier_silent: false, rules: RULES },
  })

/** Ten calls a minute; of alpha's at dal half fail from 10:00 to 10:30. */
const LANES: Lane[] = [
  ['alpha', 'dal'],
  ['alpha', 'fra'],
  ['beta', 'dal'],
].map(([carrier, site]) => ({
  carrier: carrier!,
  site: site!,
  minuteAt: (s) => ({
    valid: 10,
    bad: carrier === 'alpha' && site === 'dal' && s >= at(10) && s < at(10, 30) ? 5 : 0,
    incomplete: 0,
  }),
}))

const play = (maintenance: unknown[] = [], lanes = LANES) =>
  played({
    config: config(maintenance),
    lanes,
    numbersFromS: WEDNESDAY_S - 5 * WEEK_S,
    fromS: at(9, 30),
    toS: at(11, 30),
  })

describe('rules on numbers of the catalog', () => {
  it('level, past weeks and peers begin when the interval lies beyond the limit, and end when it does not', async () => {
    const { told } = await play()
    const [of = '', ...rest] = ['level', 'past', 'beside'].map((rule) =>
      told
        .filter((one) => one.includes(` ${rule} `))
        .map((one) => one.replace(rule, '*'))
        .join(', '),
    )
    // alpha is at two sites: of 300 calls more than a tenth fail, surely, once 44 do.
    expect(of).toMatch(/^10:1\d firing \* alpha, 10:4\d resolved \* alpha$/)
    expect(rest[0]).toBe(of)
    expect(rest[1]).toMatch(/^10:1\d firing \* alpha, 10:4\d resolved \* alpha$/)
    expect(told).toHaveLength(6)
  })

  it('what is announced tells nobody, and the rest of the carrier is judged alone', async () => {
    const dal = {
      from: '2026-11-18T10:00:00Z',
      to: '2026-11-18T10:30:00Z',
      reason: 'new trunks',
      carriers: ['alpha'],
      sites: ['dal'],
    }
    expect((await play([dal])).told).toEqual([])
    const failsAtFra = LANES.map((lane) =>
      lane.carrier === 'alpha' && lane.site === 'fra'
        ? { ...lane, minuteAt: (s: number) => ({ valid: 10, bad: s >= at(10, 5) ? 5 : 0, incomplete: 0 }) }
        : lane,
    )
    const { notices } = await play([dal], failsAtFra)
    const level = notices.find(({ rule }) => rule === 'level')!
    expect(Number(level.details.denominator)).toBe(150)
  })

  it('a window of past weeks that was maintenance is no past to compare with', async () => {
    // Three of the four past weeks were announced: one is less than half.
    const past = [1, 2, 3].map((week) => ({
      from: new Date((at(9) - week * WEEK_S) * 1_000).toISOString(),
      to: new Date((at(12) - week * WEEK_S) * 1_000).toISOString(),
      reason: 'works',
      carriers: ['alpha'],
    }))
    const { told } = await play(past)
    expect(told.filter((one) => one.includes(' past '))).toEqual([])
    expect(told.filter((one) => one.includes(' level '))).toHaveLength(2)
  })

  it('peers in maintenance are nobody to compare with', async () => {
    const { told } = await play([
      { from: '2026-11-18T09:00:00Z', to: '2026-11-18T12:00:00Z', reason: 'works', carriers: ['beta'] },
    ])
    expect(told.filter((one) => one.includes(' beside '))).toEqual([])
    expect(told.filter((one) => one.includes(' level '))).toHaveLength(2)
  })
})
