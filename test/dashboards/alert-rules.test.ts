import { describe, expect, test } from 'vitest'
import { evaluate } from '../../api/prom/evaluate.js'
import { parsePromql } from '../../api/prom/parse.js'
import { GRAFANA_RULES } from '../../dashboards/alert-rules.js'
import { configSchema } from '../../schemas/config.js'
import { MemorySource, type MinuteSeries } from '../api/prom/memory-source.js'

const AT_S = 1_794_787_200
const DAY_S = 86_400
const WEEK_MINUTES = (7 * DAY_S) / 60

/** What a rule fires for, as its labels and the value that its summary names. */
async function fired(name: string, series: readonly MinuteSeries[]) {
  const rule = GRAFANA_RULES.find((one) => one.name === name)!
  const grid = { startS: AT_S, endS: AT_S, stepS: 60 }
  const value = await evaluate(parsePromql(rule.expr), grid, new MemorySource(series))
  if (value.type === 'scalar') throw new Error('a scalar')
  return value.series
    .filter(({ values: [at] }) => at !== undefined)
    .map(({ labels, values: [at] }) => {
      const { __name__: _name, ...rest } = labels
      return [...Object.values(rest), at].join(' ')
    })
    .sort()
}

const gauge = (name: string, value: number, labels: Record<string, string>): MinuteSeries => ({
  labels: { __name__: name, ...labels },
  isCounter: false,
  firstAtS: AT_S,
  minutes: [value],
})

/** @param growth by how many minutes ago */
function counter(
  name: string,
  labels: Record<string, string>,
  growth: Readonly<Record<number, number>>,
): MinuteSeries {
  const from = Math.max(...Object.keys(growth).map(Number))
  const minutes = new Array<number>(from + 1).fill(0)
  for (const [ago, amount] of Object.entries(growth)) minutes[from - Number(ago)] = amount
  return { labels: { __name__: name, ...labels }, isCounter: true, firstAtS: AT_S - from * 60, minutes }
}

describe("Grafana's copies of the rules", () => {
  test('TrunkDown: each trunk that is down, with how long', async () => {
    const state = (address: string, name: string) =>
      gauge('trunkscope_trunk_state_seconds', 300, { carrier: 'alpha', site: 'dal', address, state: name })
    const trunks = [
      state('198.51.100.1', 'up'),
      state('198.51.100.2', 'down'),
      state('198.51.100.3', 'unknown'),
    ]
    expect(await fired('TrunkDown', trunks)).toEqual(['alpha dal 198.51.100.2 down 300'])
  })

  test('AttestationLost: A and B fell by more than 20 points in a week, with 100 calls then and now', async () => {
    const carrier = (id: string, [a, other]: [number, number], [aBefore, otherBefore]: [number, number]) =>
      (
        [
          ['A', a - 10, aBefore],
          ['B', 10, 0],
          ['none', other, otherBefore],
        ] as const
      ).map(([level, now, before]) =>
        counter(
          'trunkscope_attestation_total',
          { carrier: id, site: 'dal', direction: 'inbound', level },
          { 5: now, [WEEK_MINUTES + 5]: before },
        ),
      )
    const found = await fired('AttestationLost', [
      ...carrier('at-the-limit', [70, 30], [180, 20]),
      ...carrier('just-not', [70, 30], [179, 21]),
      ...carrier('few-now', [20, 79], [180, 20]),
      ...carrier('few-then', [20, 180], [95, 4]),
      ...carrier('unknown', [20, 180], [200, 0]),
      ...carrier('lower', [69, 31], [180, 20]),
    ])
    expect(found).toEqual(['lower inbound 0.69'])
  })

  test('CertificateExpiring: from 14 days on, and 0 for one that has ended', async () => {
    const certificate = (spc: string, leftS: number, carrier = 'alpha') =>
      gauge('trunkscope_identity_certificate_remaining_seconds', leftS, { certificate: 'ab', spc, carrier })
    const found = await fired('CertificateExpiring', [
      certificate('ends', 3 * DAY_S),
      certificate('ends', 3 * DAY_S, 'beta'),
      certificate('ended', -60),
      certificate('limit', 14 * DAY_S),
      certificate('good', 14 * DAY_S + 1),
    ])
    expect(found).toEqual(['ab ended 0', `ab ends ${3 * DAY_S}`, `ab limit ${14 * DAY_S}`])
  })

  test('SignerNotInContract: three tokens of an hour that others signed', async () => {
    const signed = (carrier: string, contract: string, growth: Readonly<Record<number, number>>) =>
      counter('trunkscope_identity_contract_total', { carrier, site: 'dal', spc: '709J', contract }, growth)
    const found = await fired('SignerNotInContract', [
      signed('alpha', 'other', { 10: 2, 50: 1 }),
      signed('alpha', 'contracted', { 10: 90 }),
      signed('beta', 'other', { 10: 2, 61: 1 }),
      signed('gamma', 'unknown', { 10: 9 }),
    ])
    expect(found).toEqual(['alpha 3'])
  })

  test("the limits are the defaults of Trunkscope's own rules", () => {
    const { alerts } = configSchema.parse({})
    const exprOf = (name: string) => GRAFANA_RULES.find((one) => one.name === name)!.expr
    expect(exprOf('AttestationLost')).toContain(` - ${alerts.attestation_lost.falls_by_ratio} and `)
    expect(exprOf('CertificateExpiring')).toContain(
      `<= ${alerts.certificate_expiring.ticket_days * DAY_S}, 0)`,
    )
    expect(GRAFANA_RULES.find(({ name }) => name === 'TrunkDown')!.severity).toBe(alerts.trunk_down.severity)
  })
})
