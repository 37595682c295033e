import { describe, expect, it } from 'vitest'
import type { SloInstance } from '../../../api/slo/instances.js'
import { isTakenOut, maintenanceOf, takenOutOf, takenOutS } from '../../../api/slo/maintenance.js'
import { sloSchema } from '../../../schemas/slos.js'

const NOON_S = Date.parse('2026-11-20T12:00:00Z') / 1_000

function written(from: string, to: string, about: { carriers?: string[]; sites?: string[] } = {}) {
  return { from: `2026-11-20T${from}Z`, to: `2026-11-20T${to}Z`, reason: 'upgrade', ...about }
}

const instance = (
  labels: SloInstance['labels'],
  about: { carriers?: string[]; sites?: string[] } = {},
): SloInstance => ({ slo: sloSchema.parse({ id: 'slo', objective: 0.99, ...about }), labels })

const config = (...maintenance: ReturnType<typeof written>[]) => ({
  carriers: [
    { id: 'alpha', peers: [] },
    { id: 'beta', peers: [] },
  ],
  sites: [
    { id: 'dal', sbc: [], agents: [] },
    { id: 'fra', sbc: [], agents: [] },
  ],
  maintenance,
})

const parts = (one: SloInstance, ...maintenance: ReturnType<typeof written>[]) =>
  takenOutOf(one, config(...maintenance), NOON_S, NOON_S + 3_600)

describe('maintenance', () => {
  it('is whole minutes: one that is begun is taken out', () => {
    expect(maintenanceOf([written('12:00:30', '12:09:01')])).toMatchObject([
      { fromS: NOON_S, toS: NOON_S + 600 },
    ])
  })

  it('reads offsets of time zones', () => {
    const [one] = maintenanceOf([
      { from: '2026-11-20T13:00:00+01:00', to: '2026-11-20T14:00:00+01:00', reason: 'upgrade' },
    ])
    expect(one).toMatchObject({ fromS: NOON_S, toS: NOON_S + 3_600 })
  })

  it('takes out the carriers and sites it names, or all', () => {
    const [one] = maintenanceOf([written('12:00:00', '12:10:00', { carriers: ['alpha'], sites: ['dal'] })])
    expect(isTakenOut(one!, 'alpha', 'dal')).toBe(true)
    expect(isTakenOut(one!, 'alpha', 'fra')).toBe(false)
    expect(isTakenOut(one!, 'beta', 'dal')).toBe(false)
    expect(isTakenOut(maintenanceOf([written('12:00:00', '12:10:00')])[0]!, 'beta', 'dal')).toBe(true)
  })

  it('covers all of an instance, a part of it, or nothing', () => {
    const alpha = written('12:00:00', '12:10:00', { carriers: ['alpha'] })
    expect(parts(instance({ carrier: 'alpha' }), alpha)).toMatchObject([{ covers: 'all' }])
    expect(parts(instance({ carrier: 'beta' }), alpha)).toEqual([])
    expect(parts(instance({}), alpha)).toMatchObject([{ covers: 'part' }])
    expect(parts(instance({}, { carriers: ['alpha'] }), alpha)).toMatchObject([{ covers: 'all' }])
    const both = written('12:00:00', '12:10:00', { carriers: ['alpha', 'beta'], sites: ['dal'] })
    expect(parts(instance({ site: 'dal' }), both)).toMatchObject([{ covers: 'all' }])
    expect(parts(instance({ carrier: 'alpha' }), both)).toMatchObject([{ covers: 'part' }])
  })

  it('is cut to the window, and forgotten outside of it', () => {
    expect(parts(instance({}), written('11:00:00', '12:10:00'))).toMatchObject([
      { fromS: NOON_S, toS: NOON_S + 600 },
    ])
    expect(parts(instance({}), written('11:00:00', '12:00:00'))).toEqual([])
    expect(parts(instance({}), written('13:00:00', '14:00:00'))).toEqual([])
  })

  it('counts minutes that overlap once, and those of a part not at all', () => {
    const three = [
      written('12:00:00', '12:10:00'),
      written('12:05:00', '12:20:00'),
      written('12:30:00', '12:40:00', { carriers: ['alpha'] }),
    ]
    expect(takenOutS(parts(instance({}), ...three))).toBe(1_200)
    expect(takenOutS(parts(instance({ carrier: 'alpha' }), ...three))).toBe(1_800)
  })
})
