/** A carrier that falls silent, minute by minute, beside four weeks of its own past. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { poissonHigh } from '../../../../api/kpi/interval.js'
import { configSchema } from '../../../../schemas/config.js'
import { type Play, played } from '../played.js'
import type { Lane, Minute } from '../week.js'

const WEEK_S = 7 * 86_400
const WEDNESDAY_S = Date.parse('2026-11-18T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => WEDNESDAY_S + hour * 3_600 + minute * 60
const START_S = WEDNESDAY_S - 5 * WEEK_S
const within = (s: number, fromS: number, toS: number) => s >= fromS && s < toS
const calls = (valid: number): Minute => ({ valid, bad: 0, incomplete: 0 })

const config = (more: Record<string, unknown> = {}) =>
  configSchema.parse({
    sites: ['dal', 'fra'].map((id, index) => ({ id, sbc: [`192.0.2.${index + 1}/32`] })),
    carriers: ['alpha', 'beta'].map((id, index) => ({
      id,
      peers: [`198.51.100.${index + 1}/32`],
      contacts: { escalation: `the desk of ${id}` },
    })),
    ...more,
  })

/** Four calls a minute by day, one in ten minutes before six. */
const usual = (s: number) => calls((((s / 3_600) % 24) | 0) >= 6 ? 4 : (s / 60) % 10 === 0 ? 1 : 0)
const lane = (carrier: string, site: string, minuteAt: (s: number) => Minute = usual): Lane => ({
  carrier,
  site,
  minuteAt,
})
/** Silent from 10:00 to 11:00 on this Wednesday. */
const silentAtTen = (s: number) => (within(s, at(10), at(11)) ? calls(0) : usual(s))

const play = (lanes: Lane[], changes: Partial<Play> = {}) =>
  played({
    config: config(),
    lanes,
    numbersFromS: START_S,
    fromS: at(9, 30),
    toS: at(11, 30),
    ...changes,
  })

describe('CarrierSilent', () => {
  it('fires when surely less than a fifth of what past weeks let expect comes, and is over when calls come again', async () => {
    const { told, notices } = await play([lane('alpha', 'dal', silentAtTen), lane('beta', 'dal')])
    // 60 are expected, a fifth is 12, and surely fewer are 5 at most: four came in the minute before ten. Then five minutes.
    expect(told).toEqual(['10:19 firing CarrierSilent alpha', '11:07 resolved CarrierSilent alpha'])
    expect(notices[0]).toMatchObject({
      severity: 'ticket',
      annotations: {
        summary: 'alpha: 0 attempts in 15 min, where past weeks let expect 60: surely below 20.0 % of that',
        likely_cause: 'alpha only: the other carriers of dal are fine',
        escalation: 'the desk of alpha',
        runbook_url: 'dashboards/runbooks/CarrierSilent.md#first-look',
      },
      details: { comparison: 'past_weeks', value: 0, limit: 12, expected: 60, window_s: 900 },
    })
  })

  it('says that it may be us when every carrier of the site is silent', async () => {
    const { notices } = await play([lane('alpha', 'dal', silentAtTen), lane('beta', 'dal', silentAtTen)])
    expect(notices.map(({ annotations }) => annotations.likely_cause)).toContain(
      'all carriers of dal: is it us?',
    )
  })

  it('is silent about a night in which a call or two were to be expected', async () => {
    const quietNight = (s: number) => (within(s, at(1), at(5)) ? calls(0) : usual(s))
    const { told } = await play([lane('alpha', 'dal', quietNight)], { fromS: at(0, 30), toS: at(5, 30) })
    expect(told).toEqual([])
  })

  it('is not over because the night came and nothing is expected any more', async () => {
    const sinceEvening = (s: number) => (s >= at(22) ? calls(0) : usual(s))
    const { told, rows } = await play([lane('alpha', 'dal', sinceEvening), lane('beta', 'dal')], {
      fromS: at(21, 45),
      toS: at(25),
    })
    expect(told).toEqual(['22:19 firing CarrierSilent alpha'])
    expect(rows.find(({ rule }) => rule === 'CarrierSilent')).toMatchObject({
      state: 'firing',
      held: 'too few calls are expected now to tell whether it is over',
    })
  })

  it('says nothing while it has seen fewer than half of the weeks', async () => {
    const { told } = await play([lane('alpha', 'dal', silentAtTen), lane('beta', 'dal')], {
      numbersFromS: at(9) - WEEK_S,
    })
    expect(told).toEqual([])
  })

  it('says nothing in maintenance, and of what its own start left out', async () => {
    const maintenance = [
      { from: '2026-11-18T09:55:00Z', to: '2026-11-18T11:05:00Z', reason: 'new trunks', carriers: ['alpha'] },
    ]
    const lanes = [lane('alpha', 'dal', silentAtTen), lane('beta', 'dal')]
    expect((await play(lanes, { config: config({ maintenance }) })).told).toEqual([])
    const started = await play(lanes, { sinceUs: at(10, 50) * 1e6 })
    expect(started.told).toEqual([])
  })

  it('is held while the tap of the site is blind', async () => {
    const { told, rows } = await play([lane('alpha', 'dal', silentAtTen), lane('beta', 'fra')], {
      toS: at(10, 40),
      tapsAt: (s) => [
        { agent: 'a', site: 'dal', verdict: s >= at(10, 3) ? 'blind' : 'ok', why: 'no frame' },
        { agent: 'b', site: 'fra', verdict: 'ok', why: '' },
      ],
    })
    expect(told).toEqual(['10:03 firing TapBlind dal a'])
    expect(rows.find(({ rule }) => rule === 'CarrierSilent')).toMatchObject({
      state: 'pending',
      held: expect.stringContaining('the tap of dal is blind'),
    })
  })

  it('is off when it is switched off, and who left the configuration is not waited for', async () => {
    const lanes = [lane('alpha', 'dal', silentAtTen), lane('gone', 'dal', silentAtTen), lane('beta', 'dal')]
    const { told } = await play(lanes)
    expect(told.some((one) => one.includes('gone'))).toBe(false)
    const off = await play(lanes, { config: config({ alerts: { carrier_silent: false } }) })
    expect(off.told).toEqual([])
  })
})

describe('rules on attempts', () => {
  it('a level is compared as it is, also for a carrier that never called', async () => {
    const alerts = {
      carrier_silent: false,
      rules: [
        { id: 'no-calls', kpi: 'attempts', below: 1, window_minutes: 15, for_minutes: 0, severity: 'page' },
      ],
    }
    const { told, notices } = await play([lane('alpha', 'dal', silentAtTen)], { config: config({ alerts }) })
    expect(told).toEqual([
      '09:30 firing no-calls beta',
      '10:15 firing no-calls alpha',
      '11:05 resolved no-calls alpha',
    ])
    expect(notices[1]!.annotations.summary).toBe('alpha: 0 attempts in 15 min, below 1')
  })

  it('a site and the platform are compared as carriers are', async () => {
    const rule = { kpi: 'attempts', compare: 'past_weeks', below: 0.2, window_minutes: 15, for_minutes: 0 }
    const alerts = {
      carrier_silent: false,
      rules: [
        { ...rule, id: 'site-silent', each: 'site' },
        { ...rule, id: 'all-silent', each: 'platform' },
        { ...rule, id: 'there-silent', each: 'carrier_site' },
      ],
    }
    const lanes = [lane('alpha', 'dal', silentAtTen), lane('alpha', 'fra')]
    const { told } = await play(lanes, { config: config({ alerts }), toS: at(10, 30) })
    expect(told.sort()).toEqual(['10:14 firing site-silent dal', '10:14 firing there-silent alpha dal'])
  })
})

describe('the Poisson interval', () => {
  /** P(X ≤ count) where `mean` are expected. */
  const chance = (count: number, mean: number) => {
    let [term, sum] = [Math.exp(-mean), 0]
    for (let k = 0; k <= count; k++) {
      sum += term
      term *= mean / (k + 1)
    }
    return sum
  }

  it('its upper end is the mean that gives so few once in forty', () => {
    fc.assert(
      fc.property(fc.nat(200), (count) => {
        expect(chance(count, poissonHigh(count))).toBeCloseTo(0.025, 2)
      }),
    )
    expect(poissonHigh(0)).toBeCloseTo(3.689, 1)
  })
})
