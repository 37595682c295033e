import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { alertmanagerRequest, cleanLabels } from '../../../../api/alerts/sinks/alertmanager.js'
import type { AlertmanagerSink } from '../../../../api/alerts/sinks/sink.js'
import { notice, STARTED_US } from '../notice.js'

const SINK: AlertmanagerSink = {
  id: 'am',
  type: 'alertmanager',
  allowPrivate: false,
  url: 'http://am.example:9093/',
  resendIntervalS: 60,
}
const NOW_MS = STARTED_US / 1_000 + 30_000
const alertsOf = (...notices: Parameters<typeof alertmanagerRequest>[1]) =>
  JSON.parse(alertmanagerRequest(SINK, notices, NOW_MS).body) as Record<string, unknown>[]

describe('an alert for Alertmanager', () => {
  test('fires until three resend intervals from now', () => {
    expect(alertmanagerRequest(SINK, [notice()], NOW_MS).url).toBe('http://am.example:9093/api/v2/alerts')
    expect(alertsOf(notice())).toMatchObject([
      {
        labels: { alertname: 'CarrierBurnFast', carrier: 'alpha', site: 'dal', severity: 'page' },
        startsAt: '2026-11-20T10:02:00.000Z',
        endsAt: '2026-11-20T10:05:30.000Z',
        generatorURL: 'https://trunkscope.example/attempts?carrier=alpha',
      },
    ])
  })

  test('is resolved by its end, never one to come and never one before its start', () => {
    const resolved = (endsAtUs: number | undefined) =>
      alertsOf(notice({ status: 'resolved', endsAtUs }))[0]!.endsAt
    expect(resolved(STARTED_US + 10e6)).toBe('2026-11-20T10:02:10.000Z')
    expect(resolved(STARTED_US + 9_999e6)).toBe('2026-11-20T10:02:30.000Z')
    expect(resolved(STARTED_US - 10e6)).toBe('2026-11-20T10:02:00.000Z')
    expect(resolved(undefined)).toBe('2026-11-20T10:02:30.000Z')
  })

  test('a link that is none is left out', () => {
    const [alert] = alertsOf(notice({ annotations: { summary: 's', link: 'javascript:alert(1)' } }))
    expect(alert).not.toHaveProperty('generatorURL')
  })

  test('label names are clean whatever they were, and no label is lost', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.oneof(fc.string(), fc.constantFrom('a-b', 'a_b', 'a.b', '1st', '__proto__')),
          fc.string(),
        ),
        (labels) => {
          const clean = cleanLabels(labels)
          for (const name of Object.keys(clean)) expect(name).toMatch(/^[a-zA-Z_][a-zA-Z0-9_]*$/)
          expect(Object.values(clean).sort()).toEqual(
            Object.values(labels)
              .filter((value) => value !== '')
              .sort(),
          )
          // The order in which labels stand is nobody's identity.
          expect(cleanLabels(Object.fromEntries(Object.entries(labels).reverse()))).toEqual(clean)
        },
      ),
    )
    expect(cleanLabels({ a_b: '1', 'a-b': '2', 'a.b': '3', '9': '4', empty: '' })).toEqual({
      a_b: '1',
      a_b_2: '2',
      a_b_3: '3',
      _9: '4',
    })
  })
})
