/** Trunks go down and come back, minute by minute. */
import { describe, expect, it } from 'vitest'
import type { SeenTrunkState } from '../../../../api/alerts/numbers.js'
import { configSchema } from '../../../../schemas/config.js'
import { type Play, played } from '../played.js'

const NOON_S = Date.parse('2026-11-18T12:00:00Z') / 1_000

const config = (more: object = {}) =>
  configSchema.parse({
    sites: [{ id: 'dal', sbc: ['192.0.2.1/32'] }],
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

const trunk = (carrier: string, address: string, changes: Partial<SeenTrunkState> = {}): SeenTrunkState => ({
  id: `${carrier}~dal~${address}`,
  carrier,
  site: 'dal',
  address,
  state: 'up',
  why: 'answered 4 s ago',
  callsOut: 120,
  ...changes,
})
const DOWN = { state: 'down' as const, why: '3 OPTIONS in a row got no answer' }

/** @param minutes  the trunks, from each minute after noon on */
const play = (minutes: Readonly<Record<number, SeenTrunkState[]>>, more: Partial<Play> = {}) => {
  let minute = -1
  return played({
    config: config(),
    lanes: [],
    numbersFromS: NOON_S,
    fromS: NOON_S,
    toS: NOON_S + 1_800,
    evidence: {
      trunks: async () => {
        minute++
        const since = Object.keys(minutes)
          .map(Number)
          .filter((from) => from <= minute)
          .at(-1)!
        return minutes[since]!
      },
    },
    ...more,
  })
}

describe('TrunkDown', () => {
  const first = (changes: Partial<SeenTrunkState> = {}) => trunk('alpha', '198.51.100.1', changes)
  const second = (changes: Partial<SeenTrunkState> = {}) => trunk('alpha', '198.51.100.9', changes)
  const other = (changes: Partial<SeenTrunkState> = {}) => trunk('beta', '198.51.100.2', changes)

  it('is a ticket at once, since the state has waited, and over five minutes after the trunk is back', async () => {
    const { told, notices } = await play({
      0: [first(), second(), other()],
      5: [first(DOWN), second(), other()],
      10: [first(), second(), other()],
    })
    expect(told).toEqual(['12:05 firing TrunkDown alpha dal', '12:14 resolved TrunkDown alpha dal'])
    const { annotations, labels, severity } = notices[0]!
    expect(severity).toBe('ticket')
    expect(labels.trunk).toBe('alpha~dal~198.51.100.1')
    expect(annotations.summary).toBe(
      'the trunk 198.51.100.1 of alpha at dal is down: 3 OPTIONS in a row got no answer; 120 calls out in the last hour',
    )
    expect(annotations.likely_cause).toBe('this trunk only: 198.51.100.9 of alpha works')
    expect(annotations.escalation).toBe('the desk of alpha')
    expect(annotations.link).toBe('https://trunkscope.example/trunks?carrier=alpha')
    expect(annotations.runbook_url).toBe('dashboards/runbooks/TrunkDown.md#first-look')
  })

  it('says whether it is the trunk, the carrier or us', async () => {
    const causeOf = async (trunks: SeenTrunkState[]) =>
      (await play({ 0: trunks }, { toS: NOON_S + 60 })).notices[0]!.annotations.likely_cause
    expect(await causeOf([first(DOWN), second(DOWN), other()])).toContain('all trunks of alpha')
    expect(await causeOf([first(DOWN), other(DOWN)])).toBe('all carriers of dal: is it us?')
    expect(await causeOf([first(DOWN), other()])).toContain('alpha has no other trunk that was seen')
    expect(await causeOf([first(DOWN), second({ state: 'unknown' }), other()])).toContain('no other trunk')
  })

  it('one of which nothing is seen any more is not over, and one that was never seen is no alert', async () => {
    const { told, rows } = await play({
      0: [first(DOWN), other({ state: 'unknown' })],
      5: [first({ state: 'unknown' }), other({ state: 'unknown' })],
    })
    expect(told).toEqual(['12:00 firing TrunkDown alpha dal'])
    expect(rows[0]!.held).toBe('nothing is seen of the trunk any more')
  })

  it('is held while the tap of its site is blind, and not judged in maintenance', async () => {
    const tapsAt = () => [
      { agent: '192.0.2.1/1', site: 'dal', verdict: 'blind' as const, why: 'no frame for 3 min' },
    ]
    const blind = await play({ 0: [first(DOWN)] }, { tapsAt })
    expect(blind.told.filter((one) => one.includes('TrunkDown'))).toEqual([])
    const maintenance = [
      { from: '2026-11-18T11:00:00Z', to: '2026-11-18T14:00:00Z', reason: 'new card', carriers: ['alpha'] },
    ]
    const announced = await play({ 0: [first(DOWN), other(DOWN)] }, { config: config({ maintenance }) })
    expect(announced.told).toEqual(['12:00 firing TrunkDown beta dal'])
  })

  it('pages where that is configured, and is off where it is switched off', async () => {
    const page = await play(
      { 0: [first(DOWN)] },
      { config: config({ alerts: { trunk_down: { severity: 'page' } } }) },
    )
    expect(page.notices[0]!.severity).toBe('page')
    const off = await play(
      { 0: [first(DOWN)] },
      { config: config({ alerts: { trunk_down: { enabled: false } } }) },
    )
    expect(off.told).toEqual([])
  })
})
