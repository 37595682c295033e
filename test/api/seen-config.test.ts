import { describe, expect, it } from 'vitest'
import { configSeenBy } from '../../api/seen-config.js'
import { configSchema } from '../../schemas/config.js'
import { LOOPBACK } from '../../schemas/tokens.js'

const CONFIG = configSchema.parse({
  sites: [{ id: 'dal' }, { id: 'fra' }],
  carriers: [
    { id: 'alpha', peers: [{ cidr: '198.51.100.10', site: 'dal' }] },
    { id: 'beta', peers: ['198.51.100.20'] },
  ],
  customers: [{ id: 'centre', peers: ['10.0.0.0/8'] }],
  slos: [
    { id: 'each', objective: 0.9, each: 'carrier' },
    { id: 'both', objective: 0.9, each: 'carrier_site', carriers: ['beta', 'alpha'] },
    { id: 'beta', objective: 0.9, each: 'carrier', carriers: ['beta'] },
    { id: 'platform', objective: 0.9 },
    { id: 'site', objective: 0.9, each: 'site' },
  ],
  maintenance: [
    { from: '2026-11-20T00:00:00Z', to: '2026-11-20T01:00:00Z', reason: 'all' },
    {
      from: '2026-11-20T00:00:00Z',
      to: '2026-11-20T01:00:00Z',
      reason: 'beta and alpha',
      carriers: ['beta', 'alpha'],
    },
    { from: '2026-11-20T00:00:00Z', to: '2026-11-20T01:00:00Z', reason: 'beta', carriers: ['beta'] },
  ],
})

describe('the configuration as somebody may see it', () => {
  it('who sees all carriers sees it as it is', () => {
    expect(configSeenBy(CONFIG, LOOPBACK)).toBe(CONFIG)
  })

  it('who sees one carrier learns of no other, of no customer, and of the sites of its peers', () => {
    const seen = configSeenBy(CONFIG, { id: 'portal', role: 'viewer', carriers: ['alpha'] })
    expect(seen.carriers.map(({ id }) => id)).toEqual(['alpha'])
    expect(seen.sites.map(({ id }) => id)).toEqual(['dal'])
    expect(seen.customers).toEqual([])
    expect(seen.slos!.map(({ id, carriers }) => [id, carriers])).toEqual([
      ['each', ['alpha']],
      ['both', ['alpha']],
    ])
    expect(seen.maintenance.map(({ reason, carriers }) => [reason, carriers])).toEqual([
      ['all', undefined],
      ['maintenance', ['alpha']],
    ])
    expect(JSON.stringify(seen)).not.toMatch(/beta|centre|fra"/)
  })
})
