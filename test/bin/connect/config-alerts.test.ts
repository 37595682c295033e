import { describe, expect, test } from 'vitest'
import { alertMistakes } from '../../../bin/connect/config-alerts.js'
import { configSchema } from '../../../schemas/config.js'

const BASE = { carriers: [{ id: 'alpha' }], sites: [{ id: 'dal' }], sinks: [{ id: 'on-call' }] }
const mistakes = (alerts: object) =>
  alertMistakes({ ...BASE, alerts }).map(({ path, problem }) => `${path.join('.')}: ${problem}`)
const ofRule = (rule: object) => mistakes({ rules: [{ id: 'a', kpi: 'ner', below: 0.9, ...rule }] })

describe('alerts of a configuration', () => {
  test('rules that make sense pass', () => {
    expect(ofRule({ carriers: ['alpha'], sites: ['dal'], sinks: ['on-call'] })).toEqual([])
    expect(ofRule({ compare: 'past_weeks', weeks: 2, below: 0.1 })).toEqual([])
    expect(ofRule({ kpi: 'pdd_p95', below: undefined, above: 4 })).toEqual([])
  })

  test('an unknown KPI, sink, carrier or site is named with what was meant', () => {
    expect(ofRule({ kpi: 'nerr' })).toEqual([
      'alerts.rules.0.kpi: nerr is not in the catalog; did you mean ner?',
    ])
    expect(ofRule({ sinks: ['oncall'] })).toEqual([
      'alerts.rules.0.sinks.0: no sink has the id oncall; did you mean on-call?',
    ])
    expect(ofRule({ carriers: ['zeta'] })).toEqual([
      'alerts.rules.0.carriers.0: no carrier has the id zeta; write one of alpha, or add it under carriers',
    ])
    expect(ofRule({ sites: ['dall'] })).toEqual([
      'alerts.rules.0.sites.0: no site has the id dall; did you mean dal?',
    ])
    expect(mistakes({ sinks: { page: ['pager'] } })).toHaveLength(1)
  })

  test('an id stands once, because an alert is known by it', () => {
    const rule = { id: 'a', kpi: 'ner', below: 0.9 }
    expect(mistakes({ rules: [rule, rule] })).toHaveLength(1)
  })

  test('what can never be, and what compares a thing with itself, is said', () => {
    expect(ofRule({ below: undefined, above: 90 })).toHaveLength(1)
    expect(ofRule({ below: 0 })).toHaveLength(1)
    expect(ofRule({ compare: 'peers', below: 5 })).toHaveLength(1)
    expect(ofRule({ compare: 'peers', below: -0.1 })).toHaveLength(1)
    expect(ofRule({ compare: 'peers', each: 'platform', below: 0.1 })).toHaveLength(1)
    expect(ofRule({ weeks: 2 })).toHaveLength(1)
    expect(ofRule({ compare: 'past_weeks', below: 0.1, window_minutes: 1_440 })).toHaveLength(1)
  })

  test('attempts are counted: a level is a number of them, with past weeks a share', () => {
    const attempts = (rule: object) => ofRule({ kpi: 'attempts', below: 1, ...rule })
    expect(attempts({})).toEqual([])
    expect(attempts({ compare: 'past_weeks', weeks: 3, below: 0.2 })).toEqual([])
    expect(attempts({ below: undefined, above: 4 })).toHaveLength(1)
    expect(attempts({ below: 0.5 })).toHaveLength(1)
    expect(attempts({ compare: 'past_weeks' })).toHaveLength(1)
    expect(attempts({ compare: 'peers' })).toHaveLength(1)
    expect(attempts({ weeks: 3 })).toHaveLength(1)
    expect(ofRule({ kpi: 'attemps' })).toEqual([
      'alerts.rules.0.kpi: attemps is not in the catalog; did you mean attempts?',
    ])
  })

  test('what has the wrong shape is passed over', () => {
    for (const data of [
      null,
      [],
      'alerts',
      { alerts: 1 },
      { alerts: { rules: [null, 1, {}], sinks: 'x' } },
    ]) {
      expect(alertMistakes(data)).toEqual([])
    }
  })

  test('a rule needs one side, and nothing has to be written for the rules that are always on', () => {
    const rules = (rule: object) =>
      configSchema.safeParse({ alerts: { rules: [{ id: 'a', kpi: 'ner', ...rule }] } }).success
    expect([rules({}), rules({ above: 0.1, below: 0.9 }), rules({ below: 0.9 })]).toEqual([
      false,
      false,
      true,
    ])
    expect(configSchema.parse({}).alerts).toMatchObject({
      enabled: true,
      burn: true,
      blind_tap: true,
      evaluation_interval_s: 60,
    })
  })
})
