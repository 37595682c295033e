import { describe, expect, test } from 'vitest'
import { sloMistakes } from '../../../bin/connect/config-slos.js'

const problems = (data: unknown) => sloMistakes(data).map(({ problem }) => problem)

describe('objectives of a configuration', () => {
  test('without carriers a name has nothing to be like, and the fix says so', () => {
    expect(problems({ slos: [{ id: 'a', carriers: ['alpha'] }] })).toEqual([
      'no carrier has the id alpha; add it under carriers, or leave carriers out, which means all',
    ])
  })

  test('minutes are kept no longer than attempts', () => {
    const of = (days: number, retention: object) =>
      problems({ slos: [{ id: 'a', window_days: days }], retention })
    expect(of(90, { attempts_months: 2 })).toHaveLength(1)
    expect(of(60, { attempts_months: 2 })).toEqual([])
    expect(of(90, {})).toEqual([])
  })

  test('times are compared as moments, not as texts', () => {
    const of = (from: string, to: string) => problems({ maintenance: [{ from, to }] })
    expect(of('2026-11-20T03:00:00+02:00', '2026-11-20T02:00:00Z')).toEqual([])
    expect(of('2026-11-20T02:00:00Z', '2026-11-20T02:00:00Z')).toHaveLength(1)
  })

  test('what has the wrong shape is passed over', () => {
    for (const data of [
      null,
      [],
      'slos',
      { slos: 1 },
      { slos: [null, 'a', { id: 1, carriers: 'a', sites: [1] }] },
    ]) {
      expect(sloMistakes(data)).toEqual([])
    }
    expect(sloMistakes({ slos: [{ id: 'a', window_days: 60 }], retention: 'long' })).toEqual([])
  })
})
