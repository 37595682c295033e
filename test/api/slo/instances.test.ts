import { describe, expect, it } from 'vitest'
import { expandSlos, instancesSeenBy, instanceText, isAbout } from '../../../api/slo/instances.js'
import { configSchema } from '../../../schemas/config.js'
import type { Principal } from '../../../schemas/tokens.js'

const config = (slos?: object[]) =>
  configSchema.parse({
    sites: [{ id: 'dal' }, { id: 'fra' }],
    carriers: [
      { id: 'alpha', peers: ['198.51.100.10/32'] },
      { id: 'beta', peers: ['198.51.100.20/32'] },
    ],
    slos,
  })

const labels = (slo: object) =>
  expandSlos(config([{ id: 'slo', objective: 0.99, ...slo }])).map((one) => one.labels)

describe('objectives', () => {
  it('without any in the configuration each carrier has 99.5 % availability in 30 days', () => {
    expect(expandSlos(config())).toMatchObject([
      {
        slo: { id: 'carrier-availability', objective: 0.995, window_days: 30 },
        labels: { carrier: 'alpha' },
      },
      { slo: { id: 'carrier-availability' }, labels: { carrier: 'beta' } },
    ])
  })

  it('an empty list means none', () => {
    expect(expandSlos(config([]))).toEqual([])
  })

  it('stand for everything, each carrier, each site, each carrier at each site', () => {
    expect(labels({})).toEqual([{}])
    expect(labels({ each: 'carrier' })).toEqual([{ carrier: 'alpha' }, { carrier: 'beta' }])
    expect(labels({ each: 'site' })).toEqual([{ site: 'dal' }, { site: 'fra' }])
    expect(labels({ each: 'carrier_site', carriers: ['beta'] })).toEqual([
      { carrier: 'beta', site: 'dal' },
      { carrier: 'beta', site: 'fra' },
    ])
  })

  it('count the attempts they are about', () => {
    const [platform] = expandSlos(config([{ id: 'slo', objective: 0.99, carriers: ['alpha'] }]))
    expect(isAbout(platform!, 'alpha', 'dal')).toBe(true)
    expect(isAbout(platform!, 'beta', 'dal')).toBe(false)
    const [alphaDal] = expandSlos(config([{ id: 'slo', objective: 0.99, each: 'carrier_site' }]))
    expect(isAbout(alphaDal!, 'alpha', 'dal')).toBe(true)
    expect(isAbout(alphaDal!, 'alpha', 'fra')).toBe(false)
    expect(instanceText(alphaDal!)).toBe('slo alpha dal')
  })

  it('who is limited to carriers sees theirs, and nothing that sums over several', () => {
    const all = expandSlos(
      config(
        ['platform', 'carrier', 'site', 'carrier_site'].map((each) => ({ id: each, objective: 0.99, each })),
      ),
    )
    const limited: Principal = { id: 'beta-manager', role: 'viewer', carriers: ['beta'] }
    expect(instancesSeenBy(all, limited).map((one) => [one.slo.id, one.labels])).toEqual([
      ['carrier', { carrier: 'beta' }],
      ['carrier_site', { carrier: 'beta', site: 'dal' }],
      ['carrier_site', { carrier: 'beta', site: 'fra' }],
    ])
    expect(instancesSeenBy(all, { ...limited, carriers: 'all' })).toEqual(all)
  })
})
