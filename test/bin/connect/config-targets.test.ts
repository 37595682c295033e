import { describe, expect, test } from 'vitest'
import { targetMistakes } from '../../../bin/connect/config-targets.js'

const problems = (targets: unknown) =>
  targetMistakes({ carriers: [{ id: 'alpha', targets }] }).map(({ problem }) => problem)

describe('contracted targets of a configuration', () => {
  test('KPIs by id, delays with their unit', () => {
    expect(
      problems({ asr: 0.45, ner: 0, availability: 1, pdd_p95_s: 6, acd_s: 90.5, rate_5xx: 0.01 }),
    ).toEqual([])
  })

  test('a name that is no KPI is told with the one that was meant', () => {
    expect(problems({ pdd_p95: 6 })).toEqual(['pdd_p95 is no KPI with a target; did you mean pdd_p95_s?'])
    expect(problems({ asrr: 0.4 })).toEqual(['asrr is no KPI with a target; did you mean asr?'])
    expect(problems({ happiness_of_all: 1 })[0]).toContain('write one of asr, ')
  })

  test('a percentage is told as the ratio it means; a time is above 0', () => {
    expect(problems({ asr: 45 })).toEqual(['is 45, and no share of 1; write 0.45 for 45 %'])
    expect(problems({ asr: -1 })).toEqual(['is -1, and no share of 1; write 0.95 for 95 %'])
    expect(problems({ pdd_p95_s: 0 })).toEqual(['is 0, and no time; write seconds, for example 6'])
  })

  test('what has the wrong shape is passed over', () => {
    for (const data of [
      null,
      [],
      { carriers: 1 },
      { carriers: [null, 1, { targets: [1] }, { targets: null }] },
    ]) {
      expect(targetMistakes(data)).toEqual([])
    }
    expect(problems({ asr: '0.4' })).toEqual([])
  })
})
