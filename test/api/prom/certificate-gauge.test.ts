/**
 * Series of what is a row of its own in the store (tokens, certificates, suspicions, attempts that were given up), against counts of
 * the rows that were put in.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RollupSource } from '../../../api/prom/rollup-source.js'
import type { Series } from '../../../api/prom/series.js'
import { listLabelValues } from '../../../api/prom/series-list.js'
import { Readers } from '../../../api/readers.js'
import { DELAY_EDGES } from '../../../schemas/prom-metrics.js'
import { addChecks } from '../attestation/identity-rows.js'
import { attempt, CONFIG, ENDED, NOON_S, NOON_US, TestStore } from '../support.js'
import { is, requestOf, type Wanted } from './rollup-calls.js'

const DAY_S = 86_400
const AT_S = NOON_S + 3_600
const GAUGE = 'trunkscope_identity_certificate_remaining_seconds'
const TOKENS = 'trunkscope_identity_tokens_total'

const CONTRACTED = {
  ...CONFIG,
  carriers: CONFIG.carriers.map((carrier) => ({
    ...carrier,
    ...(carrier.id === 'silent' ? {} : { spcs: ['709j'] }),
  })),
}
const TO_CANCEL_MS = [900, 3_000, 3_500.5, 21_000]

let store: TestStore
const read = async (wanted: Wanted, servedUntilS = AT_S, carriers?: string[]): Promise<Series[]> => {
  const readers =
    carriers === undefined
      ? new Readers(store.engine.readers)
      : new Readers(store.engine.readers, { id: 'some', role: 'viewer', carriers })
  const source = new RollupSource({ readers, config: CONTRACTED, servedUntilS })
  return (await source.read(requestOf({ atS: AT_S, ...wanted }))).series
}
const namesOf = (series: readonly Series[], ...labels: string[]) =>
  series.map(({ labels: has, values }) => [...labels.map((label) => has[label]), values[0]].join(' ')).sort()

beforeAll(async () => {
  store = await TestStore.open()
  const other = {
    carrier: 'beta',
    certificate_sha256: 'cd'.repeat(32),
    certificate_not_after: NOON_S,
    spc: '812K',
  }
  await addChecks(store, [
    ...Array.from({ length: 7 }, (_, at) => ({ minute: NOON_S + at * 600 })),
    { signature: 'invalid', verified: 'failed', signature_reason: 'signature_mismatch' },
    { ...other, site: '', direction: 'outbound' },
    { ...other, spc: 'x"} evil', minute: NOON_S - 23 * 3_600 },
    { ...other, certificate_sha256: 'ee'.repeat(32), minute: NOON_S - 3 * DAY_S },
    { depth: 1 },
    { form: 'none' },
    { party: 'customer', carrier: '' },
  ])
  const givenUp = TO_CANCEL_MS.map((delayMs, at) => {
    const invitedAtUs = NOON_US + at * 600e6
    return attempt({ ...ENDED.abandoned, invitedAtUs, cancelledAtUs: invitedAtUs + delayMs * 1_000 })
  })
  const cancelledAtUs = NOON_US + 5e6
  await store.add([
    ...givenUp,
    attempt({ ...ENDED.preRing, cancelledAtUs, carrier: 'beta', direction: 'inbound' }),
    attempt({ cancelClass: 'CANCEL_RACE_200', cancelledAtUs }),
    attempt({ ...ENDED.abandoned, cancelledAtUs: 0 }),
    attempt({ ...ENDED.abandoned, cancelledAtUs, party: 'customer', carrier: '' }),
  ])
  await addSuspicions([
    { codes: ['EM_LONG', 'FAS_EARLY_ANSWER'] },
    { codes: ['EM_LONG'], minute: NOON_S + 600 },
    { codes: ['EM_LONG'], carrier: 'beta', site: '' },
    { codes: [], carrier: 'beta' },
    { codes: ['EM_LONG'], party: 'internal' },
  ])
}, 60_000)
afterAll(() => store.close())

async function addSuspicions(rows: readonly object[]): Promise<void> {
  const values = rows.map((row, at) => ({
    minute: NOON_S,
    attempt_hex: String(at + 1).padStart(32, '0'),
    version: 1,
    judged_at: NOON_S,
    party: 'carrier',
    carrier: 'alpha',
    site: 'dal',
    direction: 'outbound',
    codes: [],
    ...row,
  }))
  const columns = Object.keys(values[0]!) as [string, ...string[]]
  await store.engine.writer.insert({ table: 'attempt_anomalies', columns, values, format: 'JSONEachRow' })
}

describe('attempts that were given up, in /prom', () => {
  const NAME = 'trunkscope_time_to_cancel_seconds'
  const hour = { windowS: 3_600 }

  it('count with the time to their CANCEL, at every edge and in sum', async () => {
    expect(namesOf(await read({ metric: `${NAME}_count`, ...hour }), 'carrier', 'site', 'direction')).toEqual(
      ['alpha dal outbound 4', 'beta dal inbound 1'],
    )
    const [sum] = await read({ metric: `${NAME}_sum`, matchers: [is('carrier', 'alpha')], ...hour })
    expect(sum!.values).toEqual([28.4005])
    const buckets = await read({ metric: `${NAME}_bucket`, matchers: [is('carrier', 'alpha')], ...hour })
    expect(buckets.map(({ labels, values }) => [labels.le, values[0]])).toEqual(
      [...DELAY_EDGES.map(({ le }) => le), '+Inf'].map((le) => {
        const edgeMs = Number(le.replace('+Inf', 'Infinity')) * 1_000
        return [le, TO_CANCEL_MS.filter((delayMs) => delayMs <= edgeMs).length]
      }),
    )
    const ten = await read({ metric: `${NAME}_count`, windowS: 2_400, matchers: [is('carrier', 'alpha')] })
    expect(ten[0]!.values).toEqual([2])
  })

  it('show who may see one carrier those of it alone', async () => {
    const seen = await read({ metric: `${NAME}_count`, ...hour }, AT_S, ['beta'])
    expect(namesOf(seen, 'carrier')).toEqual(['beta 1'])
  })
})

describe('suspicions in /prom', () => {
  it('count by their rule, each of an attempt once', async () => {
    const all = await read({ metric: 'trunkscope_suspicions_total', windowS: 3_600 })
    expect(namesOf(all, 'carrier', 'site', 'rule')).toEqual([
      'alpha dal EM_LONG 2',
      'alpha dal FAS_EARLY_ANSWER 1',
      'beta unknown EM_LONG 1',
    ])
    const one = { metric: 'trunkscope_suspicions_total', matchers: [is('rule', 'FAS_EARLY_ANSWER')] }
    expect(namesOf(await read({ ...one, windowS: 3_600 }), 'carrier', 'rule')).toEqual([
      'alpha FAS_EARLY_ANSWER 1',
    ])
    const held = await read({ ...one, matchers: [], windowS: 3_600 }, AT_S, ['beta'])
    expect(namesOf(held, 'carrier')).toEqual(['beta 1'])
  })
})

describe('tokens in /prom', () => {
  it('count by what their signatures say, and by verdict, over windows of whole minutes', async () => {
    const hour = { windowS: 3_600 }
    expect(namesOf(await read({ metric: TOKENS, ...hour }), 'carrier', 'site', 'spc', 'signature')).toEqual([
      'alpha dal 709J invalid 1',
      'alpha dal 709J valid 6',
      'beta dal unknown valid 0',
      'beta unknown 812K valid 1',
    ])
    const verdicts = await read({ metric: 'trunkscope_identity_verified_total', ...hour })
    expect(namesOf(verdicts, 'carrier', 'verdict')).toEqual([
      'alpha failed 1',
      'alpha passed 6',
      'beta passed 0',
      'beta passed 1',
    ])
    const one = await read({
      metric: TOKENS,
      matchers: [is('signature', 'invalid'), is('spc', '709J')],
      ...hour,
    })
    expect(namesOf(one, 'carrier')).toEqual(['alpha 1'])
    const ten = await read({
      metric: TOKENS,
      matchers: [is('carrier', 'alpha'), is('signature', 'valid')],
      windowS: 600,
    })
    expect(namesOf(ten, 'carrier')).toEqual(['alpha 1'])
  })

  it('count by whether the contract of the carrier names who signed, where the signature is valid', async () => {
    const all = await read({ metric: 'trunkscope_identity_contract_total', windowS: DAY_S })
    expect(namesOf(all, 'carrier', 'direction', 'spc', 'contract')).toEqual([
      'alpha inbound 709J contracted 6',
      'beta inbound unknown other 1',
      'beta outbound 812K not_asked 1',
    ])
  })

  it('show who may see one carrier its tokens alone', async () => {
    const seen = await read({ metric: TOKENS, windowS: 3_600 }, AT_S, ['beta'])
    expect(new Set(seen.map(({ labels }) => labels.carrier))).toEqual(new Set(['beta']))
    const certificates = await read({ metric: GAUGE, over: 'last' }, AT_S, ['beta'])
    expect(new Set(certificates.map(({ labels }) => labels.carrier))).toEqual(new Set(['beta']))
  })
})

describe('certificates in /prom', () => {
  it('say how long they are still good, negative when they have ended, while they sign', async () => {
    expect(namesOf(await read({ metric: GAUGE, over: 'last' }), 'certificate', 'spc', 'carrier')).toEqual([
      `abababababababab 709J alpha ${400 * DAY_S - 3_600}`,
      'cdcdcdcdcdcdcdcd 812K beta -3600',
      'cdcdcdcdcdcdcdcd unknown beta -3600',
    ])
    const chosen = await read({
      metric: GAUGE,
      over: 'last',
      matchers: [{ label: 'spc', op: '=~', value: '8.*' }],
    })
    expect(namesOf(chosen, 'certificate')).toEqual(['cdcdcdcdcdcdcdcd -3600'])
  })

  it('are worked out at each point, and end a day after the hour of their last token', async () => {
    const grid = { startS: NOON_S - 4 * DAY_S, endS: NOON_S + 3 * DAY_S, stepS: 3_600 }
    const all = await read({ metric: GAUGE, over: 'last', grid }, NOON_S + 4 * DAY_S)
    const old = all.find(({ labels }) => labels.certificate === 'ee'.repeat(8))!
    const alive = old.values.flatMap((value, at) => (value === undefined ? [] : [grid.startS + at * 3_600]))
    expect([alive[0], alive.at(-1)]).toEqual([NOON_S - 3 * DAY_S + 3_600, NOON_S - 2 * DAY_S])
    expect(old.values[24 + 1]).toBe(3 * DAY_S - 3_600)
  })

  it('have no window to take a mean over, and list their labels', async () => {
    await expect(read({ metric: GAUGE, over: 'avg' })).rejects.toMatchObject({
      message: expect.stringMatching(/has a window of its own/) as string,
    })
    const source = new RollupSource({
      readers: new Readers(store.engine.readers),
      config: CONFIG,
      servedUntilS: AT_S,
    })
    const span = { fromS: NOON_S - 3_600, toS: AT_S }
    const values = async (label: string) => (await listLabelValues(source, label, [], span)).items
    expect(await values('certificate')).toEqual(['abababababababab', 'cdcdcdcdcdcdcdcd'])
    expect(await values('signature')).toEqual(['invalid', 'valid'])
    expect(await values('spc')).toEqual(['709J', '812K', 'unknown'])
  })
})
