/** Attestation falls, and is lost between the legs, minute by minute; with what blind taps, nights and maintenance make of it. */
import { describe, expect, it } from 'vitest'
import type { AlertNumbers, LevelCell, Window } from '../../../../api/alerts/numbers.js'
import type { PairOfLegs } from '../../../../api/attestation/between-legs.js'
import { ratioOf } from '../../../../api/attestation/share.js'
import { configSchema } from '../../../../schemas/config.js'
import { type Play, played } from '../played.js'

const WEDNESDAY_S = Date.parse('2026-11-18T00:00:00Z') / 1_000
const at = (hour: number, minute = 0) => WEDNESDAY_S + hour * 3_600 + minute * 60
const within = (s: number, fromS: number, toS: number) => s >= fromS && s < toS

const config = (more: object = {}) =>
  configSchema.parse({
    sites: ['dal', 'fra'].map((id, index) => ({ id, sbc: [`192.0.2.${index + 1}/32`] })),
    carriers: ['alpha', 'beta'].map((id, index) => ({
      id,
      peers: [`198.51.100.${index + 1}/32`],
      contacts: { escalation: `the desk of ${id}` },
    })),
    ...more,
    alerts: {
      burn: false,
      carrier_silent: false,
      page_url: 'https://trunkscope.example',
      ...(more as { alerts?: object }).alerts,
    },
  })

type Counts = LevelCell['counts']
const counts = (changes: Partial<Counts>): Counts => ({ A: 0, B: 0, C: 0, none: 0, malformed: 0, ...changes })

interface LevelLane {
  carrier: string
  site?: string
  direction?: string
  minuteAt: (s: number) => Partial<Counts>
}

const USUAL = { A: 9, none: 1 }

/** Minutes added up. */
function levelsOf(lanes: readonly LevelLane[]): AlertNumbers['levels'] {
  return async ({ fromS, toS }: Window) =>
    lanes.flatMap(({ carrier, site = 'dal', direction = 'inbound', minuteAt }): LevelCell[] => {
      const sum = counts({})
      for (let s = fromS; s < toS; s += 60) {
        for (const [level, count] of Object.entries(minuteAt(s))) sum[level as keyof Counts] += count
      }
      return Object.values(sum).some((count) => count > 0) ? [{ carrier, site, direction, counts: sum }] : []
    })
}

const play = (evidence: Play['evidence'], more: Partial<Play> = {}) =>
  played({
    config: config(),
    lanes: [],
    numbersFromS: at(9),
    fromS: at(9, 30),
    toS: at(13),
    ...(evidence === undefined ? {} : { evidence }),
    ...more,
  })

const toldOf = (all: readonly string[]) => all.filter((one) => one.includes('AttestationLost'))

describe('AttestationLost, against past weeks', () => {
  const stopsSigning: LevelLane = {
    carrier: 'alpha',
    minuteAt: (s) => (within(s, at(10), at(11)) ? { A: 1, none: 9 } : USUAL),
  }
  const steady: LevelLane = { carrier: 'beta', minuteAt: () => USUAL }

  it('is a ticket once the interval lies beyond the limit, and over when the hour has recovered', async () => {
    const { told, notices } = await play({ levels: levelsOf([stopsSigning, steady]) })
    expect(toldOf(told)).toEqual([
      '10:23 firing AttestationLost alpha',
      '11:57 resolved AttestationLost alpha',
    ])
    const [{ annotations, labels, severity, details }] = notices as [(typeof notices)[0]]
    expect(severity).toBe('ticket')
    expect(labels).toMatchObject({ kind: 'past_weeks', carrier: 'alpha', direction: 'inbound' })
    expect(annotations.summary).toMatch(
      /^alpha, inbound: \d+\.\d % of calls claim A or B over 60 min, below 70\.0 %, which past weeks set \(usually 90\.0 %\); n = 600, 95 % interval/,
    )
    expect(annotations.likely_cause).toBe(
      'alpha only: the other carriers of dal are fine; calls come without a token: signing has stopped, or something takes the Identity header off',
    )
    expect(annotations.runbook_url).toBe('dashboards/runbooks/AttestationLost.md#first-look')
    expect(annotations.escalation).toBe('the desk of alpha')
    expect(annotations.link).toMatch(
      /^https:\/\/trunkscope\.example\/attestation\?from=.*carrier=alpha&direction=inbound$/,
    )
    expect(annotations.sample_attempts).toBe('00000000000000000000000000000001')
    expect(details).toMatchObject({ limit: 0.7, usual: 0.9, denominator: 600, window_s: 3_600 })
  })

  it('says what stands where A and B stood: a tap that cuts tokens is named before the carrier is', async () => {
    const cut: LevelLane = {
      carrier: 'alpha',
      minuteAt: (s) => (s >= at(10) ? { malformed: 10 } : USUAL),
    }
    const { notices } = await play({ levels: levelsOf([cut, steady]) }, { toS: at(10, 40) })
    expect(notices[0]!.annotations.likely_cause).toContain('look at the tap first')
    const gateway: LevelLane = { carrier: 'alpha', minuteAt: (s) => (s >= at(10) ? { C: 10 } : USUAL) }
    const other = await play({ levels: levelsOf([gateway, steady]) }, { toS: at(10, 40) })
    expect(other.notices[0]!.annotations.likely_cause).toContain('calls claim C now')
  })

  it('says nothing at night, of a carrier that never signed, of a small fall, or without a past', async () => {
    const lanes: LevelLane[] = [
      { carrier: 'alpha', minuteAt: (s) => (s % 1_800 === 0 ? { none: 1 } : {}) },
      { carrier: 'beta', minuteAt: () => ({ none: 10 }) },
      { carrier: 'alpha', direction: 'outbound', minuteAt: (s) => (s >= at(10) ? { A: 8, none: 2 } : USUAL) },
      {
        carrier: 'beta',
        direction: 'outbound',
        minuteAt: (s) => (s < at(0) ? {} : { A: s >= at(10) ? 0 : 10, none: 10 }),
      },
      { carrier: 'unknown', minuteAt: (s) => (s >= at(10) ? { none: 10 } : USUAL) },
    ]
    expect((await play({ levels: levelsOf(lanes) })).told).toEqual([])
  })

  it('directions are told apart: what we hand over may fall while what we get does not', async () => {
    const lanes: LevelLane[] = [
      { carrier: 'alpha', minuteAt: () => ({ A: 90, none: 10 }) },
      { carrier: 'alpha', direction: 'outbound', minuteAt: (s) => (s >= at(10) ? { none: 10 } : USUAL) },
    ]
    const { notices } = await play({ levels: levelsOf(lanes) }, { toS: at(10, 40) })
    expect(notices.map(({ labels }) => labels.direction)).toEqual(['outbound'])
  })

  it('is held while the tap of its site is blind, and neither begins nor ends then', async () => {
    const tapsAt = (untilS: number) => [
      {
        agent: '192.0.2.1/1',
        site: 'dal',
        verdict: within(untilS, at(10, 5), at(11)) ? ('blind' as const) : ('ok' as const),
        why: 'no frame for 3 min',
      },
    ]
    const { told } = await play({ levels: levelsOf([stopsSigning]) }, { tapsAt })
    expect(toldOf(told).filter((one) => one.includes('firing'))).toEqual([
      '11:04 firing AttestationLost alpha',
    ])
  })

  it('does not judge maintenance, and does not take it for a past', async () => {
    const maintenance = [
      { from: '2026-11-18T09:00:00Z', to: '2026-11-18T14:00:00Z', reason: 'new trunks', carriers: ['alpha'] },
    ]
    const { told } = await play({ levels: levelsOf([stopsSigning]) }, { config: config({ maintenance }) })
    expect(told).toEqual([])
  })

  it('is off where it is switched off, and keeps to the limit that is configured', async () => {
    const evidence = { levels: levelsOf([stopsSigning]) }
    const off = await play(evidence, { config: config({ alerts: { attestation_lost: { enabled: false } } }) })
    expect(off.told).toEqual([])
    const wide = await play(evidence, {
      config: config({ alerts: { attestation_lost: { falls_by_ratio: 0.85 } } }),
    })
    expect(wide.told).toEqual([])
  })
})

describe('AttestationLost, between the legs', () => {
  const fates = (changes: object) => ({
    kept: 0,
    re_signed: 0,
    weaker: 0,
    cut: 0,
    damaged: 0,
    lost: 0,
    ...changes,
  })
  const none = { kept: [], re_signed: [], weaker: [], cut: [], damaged: [], lost: [] }
  const pair = (from: string, to: string, of: object): PairOfLegs => {
    const all = fates(of)
    const arrived = Object.values(all).reduce((sum: number, one) => sum + (one as number), 0)
    return {
      from: { party: 'carrier', name: from },
      to: { party: 'carrier', name: to },
      legs: arrived,
      arrived_signed: arrived,
      signed_here: 0,
      fates: all,
      lost_rate: ratioOf(all.lost, arrived - all.cut),
      samples: { ...none, lost: [{ inbound: 'a'.repeat(32), outbound: 'b'.repeat(32) }] },
      sites: ['dal'],
    }
  }
  const from10 =
    (broken: object): AlertNumbers['betweenLegs'] =>
    async ({ toS }) => [
      pair('alpha', 'beta', within(toS, at(10), at(11)) ? broken : { kept: 100 }),
      pair('beta', 'alpha', { kept: 100 }),
    ]

  it('is a ticket of its own, about whom the calls were handed to, with the calls', async () => {
    const { told, notices } = await play({ betweenLegs: from10({ kept: 60, lost: 40 }) })
    expect(toldOf(told)).toEqual(['10:05 firing AttestationLost beta', '11:14 resolved AttestationLost beta'])
    const { annotations, labels } = notices[0]!
    expect(labels).toMatchObject({ kind: 'between_legs', carrier: 'beta' })
    expect(annotations.summary).toMatch(
      /^to beta: 40 of 100 calls that arrived signed left without a token in 15 min \(40\.0 %, 95 % interval .*\), above 5\.0 %$/,
    )
    expect(annotations.likely_cause).toContain('our side, between the legs: calls from alpha')
    expect(annotations.sample_attempts).toBe('b'.repeat(32))
  })

  it('a token that was cut on its way to us is no loss, nor are two calls', async () => {
    expect((await play({ betweenLegs: from10({ kept: 60, cut: 40 }) })).told).toEqual([])
    expect((await play({ betweenLegs: from10({ lost: 2 }) })).told).toEqual([])
  })

  it('what fires goes on, held, while there are too many legs to compare', async () => {
    const broken = from10({ lost: 100 })
    const { told, rows } = await play(
      { betweenLegs: async (window) => (window.toS >= at(10, 30) ? undefined : broken(window)) },
      { toS: at(12) },
    )
    expect(toldOf(told)).toEqual(['10:05 firing AttestationLost beta'])
    expect(rows[0]!.held).toBe(
      'attempts cannot be compared between legs now: too many, or no right to read them',
    )
  })
})
