/** The evaluation over a real engine: the same numbers as the simulated week, rows that survive, routes, and who sees what. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClickHouseAlertStore } from '../../../api/alerts/alert-store.js'
import { type Alerting, startAlerting } from '../../../api/alerts/alerting.js'
import { alertMetrics } from '../../../api/alerts/metrics.js'
import { StoreNumbers } from '../../../api/alerts/numbers-sql.js'
import { readAlert, readAlerts, readTransitions } from '../../../api/alerts/read-alerts.js'
import { alertsPage } from '../../../api/page/alerts.js'
import { Connections, Readers } from '../../../api/readers.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { configSchema, type TrunkscopeConfig } from '../../../schemas/config.js'
import { LOOPBACK } from '../../../schemas/tokens.js'
import { attempt, CONFIG, ENDED, get, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'
import { SimulatedWeek } from './week.js'

const UNTIL_S = NOON_S + 3_600
const NOW_US = UNTIL_S * 1e6 + 20e6
const LIVE = liveStatus({ asOfUs: NOW_US, startedAtUs: NOON_US - 86_400e6 })

const config: TrunkscopeConfig = {
  ...CONFIG,
  carriers: CONFIG.carriers.map((carrier) => ({
    ...carrier,
    contacts: { escalation: `the desk of ${carrier.id}` },
  })),
  alerts: configSchema.shape.alerts.parse({
    rules: [
      { id: 'ner-low', kpi: 'ner', below: 0.9, each: 'carrier_site', for_minutes: 0, severity: 'page' },
      { id: 'beside-others', kpi: 'ner', compare: 'peers', below: 0.1, each: 'carrier_site', for_minutes: 0 },
      { id: 'as-last-week', kpi: 'ner', compare: 'past_weeks', weeks: 1, below: 0.1, for_minutes: 0 },
    ],
  }),
}

/** alpha fails a third of its calls at dal and none at fra; beta is fine; a week ago everything was. */
const CALLS = [
  { carrier: 'alpha', site: 'dal', calls: 60, everyNthIsBad: 3, fromS: NOON_S },
  { carrier: 'alpha', site: 'fra', calls: 30, everyNthIsBad: 0, fromS: NOON_S },
  { carrier: 'beta', site: 'dal', calls: 60, everyNthIsBad: 0, fromS: NOON_S },
  { carrier: 'alpha', site: 'dal', calls: 60, everyNthIsBad: 0, fromS: NOON_S - 7 * 86_400 },
]

let store: TestStore
let alerting: Alerting
let connections: Connections
const told: AlertNotice[] = []
const outbox = { put: async (notices: readonly AlertNotice[]) => void told.push(...notices) }
const said: string[] = []
const start = () =>
  startAlerting({
    client: store.engine.writer,
    readers: new Readers(connections),
    config,
    outbox,
    live: () => LIVE,
    log: (_, sentence) => said.push(sentence),
    nowMs: () => NOW_US / 1_000,
  })

beforeAll(async () => {
  store = await TestStore.open()
  connections = new Connections(store.engine.readers)
  await store.add(
    CALLS.flatMap(({ carrier, site, calls, everyNthIsBad, fromS }) =>
      Array.from({ length: calls }, (_, index) =>
        attempt({
          carrier,
          site,
          invitedAtUs: (fromS + Math.floor((index * 60) / calls) * 60 + 5) * 1e6 + index,
          ...(everyNthIsBad > 0 && index % everyNthIsBad === 0 ? ENDED.congestion : {}),
        }),
      ),
    ),
  )
  alerting = start()
}, 60_000)

afterAll(async () => {
  await alerting.stop()
  await store.close()
})

describe('alerts over a real engine', () => {
  it('the store gives the numbers that the simulated week gives for the same calls', async () => {
    const numbers = new StoreNumbers({
      readers: new Readers(connections),
      config,
      live: () => LIVE,
      nowUs: () => NOW_US,
    })
    const simulated = new SimulatedWeek(
      config,
      { fromS: NOON_S - 8 * 86_400, toS: UNTIL_S },
      CALLS.map(({ carrier, site, calls, everyNthIsBad, fromS }) => ({
        carrier,
        site,
        minuteAt: (minuteS) => {
          const here = Array.from({ length: calls }, (_, index) => index).filter(
            (index) => fromS + Math.floor((index * 60) / calls) * 60 === minuteS,
          )
          const bad = here.filter((index) => everyNthIsBad > 0 && index % everyNthIsBad === 0).length
          return { valid: here.length, bad, incomplete: 0 }
        },
      })),
      () => [],
    )
    const counted = (cells: Awaited<ReturnType<typeof numbers.cells>>) =>
      cells
        .map(({ carrier, site, sums }) => [
          carrier,
          site,
          sums.counts.availability_numerator,
          sums.counts.availability_denominator,
          sums.counts.ner_numerator,
          sums.counts.ner_denominator,
        ])
        .sort()
    for (const seconds of [300, 1_800, 3_600]) {
      const window = { fromS: UNTIL_S - seconds, toS: UNTIL_S }
      expect(counted(await numbers.cells(window, ['availability', 'ner']))).toEqual(
        counted(await simulated.cells(window)),
      )
    }
    const [real, expected] = [await numbers.slos(UNTIL_S), await simulated.slos(UNTIL_S)]
    expect(real.map(({ instance }) => instance.labels)).toEqual(
      expected.map(({ instance }) => instance.labels),
    )
    real.forEach((burn, index) => {
      for (const windowS of [300, 3_600, 1_800, 21_600, 259_200]) {
        const { bad, valid } = burn.countOf(windowS)
        expect({ windowS, bad, valid }).toEqual(expected[index]!.countOf(windowS))
      }
    })
  })

  it('one evaluation tells what holds, with the attempts that speak for it', async () => {
    await alerting.evaluateNow()
    expect(said.filter((sentence) => sentence.includes('not evaluated'))).toEqual([])
    const firing = told
      .map(({ rule, labels }) => [rule, labels.carrier, labels.site].filter(Boolean).join(' '))
      .sort()
    expect(firing).toEqual([
      'SloBudgetDrain alpha',
      'SloBurnFast alpha',
      'as-last-week alpha',
      'beside-others alpha dal',
      'ner-low alpha dal',
    ])
    const low = told.find(({ rule }) => rule === 'ner-low')!
    expect(low.annotations).toMatchObject({
      summary: expect.stringMatching(
        /^alpha at dal: .* 66\.7 % over 60 min, below 90\.0 %; n = 60, 95 % interval/,
      ),
      likely_cause:
        'alpha only: the other carriers of dal are fine, and alpha is fine at fra; to the same destinations alpha has 66.7 % NER, ' +
        'the other carriers 100.0 %: it is alpha',
      peers: 'carrier',
      escalation: 'the desk of alpha',
      runbook_url: 'dashboards/runbooks/KpiLevel.md#first-look',
    })
    // Of all sites where the alert is about all of them.
    expect(told.find(({ rule }) => rule === 'SloBurnFast')!.annotations.peers_sentence).toBe(
      'to the same destinations alpha has 77.8 % NER, the other carriers 100.0 %: it is alpha',
    )
    const ids = low.annotations.sample_attempts!.split(' ')
    expect(ids).toHaveLength(3)
    const app = await store.app()
    for (const id of ids) {
      const { body } = await get<{ attempt: { disposition: string } }>(app, `/v1/attempts/${id}`)
      expect(body.attempt.disposition).toBe('CONGESTION')
    }
    await app.close()
  })

  it('another process goes on from the same rows and tells nothing again', async () => {
    const before = told.length
    const other = start()
    await other.evaluateNow()
    await other.stop()
    expect(told.length).toBe(before)
    expect(other.status).toMatchObject({
      evaluations: 1,
      failures: 0,
      firing: 5,
      pending: 1,
      held: 1,
      problem: '',
    })
    expect(await alertMetrics(other.status, [])).toContain('trunkscope_alerts{state="firing"} 5')
  })

  it('a decision whose notice was owed when the process died is told by the next one', async () => {
    const rows = new ClickHouseAlertStore(store.engine.writer)
    const [row] = (await rows.read()).filter(({ rule }) => rule === 'ner-low')
    const owed = { ...row!, transition: 2, state: 'resolved' as const, endsAtUs: NOW_US, told: false }
    await rows.write([{ ...owed, version: row!.version + 1 }], NOW_US)
    await alerting.evaluateNow()
    expect(told.find(({ rule, transition }) => rule === 'ner-low' && transition === 2)).toMatchObject({
      status: 'resolved',
    })
    expect((await rows.read()).every((stored) => stored.told)).toBe(true)
  })

  it('a store that does not answer stops the evaluation, and the status says so until it answers again', async () => {
    let isAway = true
    const client = {
      query: (options: Parameters<typeof store.engine.writer.query>[0]) =>
        isAway ? Promise.reject(new Error('gone')) : store.engine.writer.query(options),
      insert: store.engine.writer.insert.bind(store.engine.writer),
    } as typeof store.engine.writer
    const readers = new Readers(connections)
    const other = startAlerting({
      client,
      readers,
      config,
      outbox,
      live: () => LIVE,
      log: () => {},
      nowMs: () => NOW_US / 1_000,
    })
    await other.evaluateNow()
    expect(other.status).toMatchObject({ failures: 1, problem: 'alerts are not evaluated: gone' })
    isAway = false
    await other.evaluateNow()
    expect(other.status).toMatchObject({ failures: 1, evaluations: 1, problem: '' })
    await other.stop()
  })

  it('nothing is judged while the past is still being filled in', async () => {
    const often = { ...config, alerts: { ...config.alerts, evaluation_interval_s: 0.01 } }
    const begin = (looks: () => void, after?: Promise<void>) => {
      const live = () => {
        looks()
        return { ...LIVE, ready: false } // It looks, and there is nothing to evaluate.
      }
      const readers = new Readers(connections)
      return startAlerting({
        client: store.engine.writer,
        readers,
        config: often,
        outbox,
        live,
        log: () => {},
        after,
      })
    }
    let looked = 0
    let fillIn = () => {}
    const filledIn = new Promise<void>((resolve) => {
      fillIn = resolve
    })
    let sawIt = () => {}
    const seen = new Promise<void>((resolve) => {
      sawIt = resolve
    })
    const waiting = begin(() => {
      looked++
      sawIt()
    }, filledIn)
    // Another one has looked three times meanwhile.
    let others = 0
    const other = await new Promise<Alerting>((resolve) => {
      const one: Alerting = begin(() => ++others === 3 && resolve(one))
    })
    expect(looked).toBe(0)
    fillIn()
    await seen
    await Promise.all([waiting.stop(), other.stop()])
  })

  it('the routes list alerts by state, and one with what was told of it', async () => {
    const app = await store.app({ config })
    type List = { alerts: { key: string; rule: string; state: string }[] }
    const { body, status } = await get<List>(app, '/v1/alerts?state=firing')
    expect(status).toBe(200)
    expect(body.alerts.length).toBe(4)
    const burn = body.alerts.find(({ rule }) => rule === 'SloBurnFast')!
    const one = await get<{ transitions: { transition: number; status: string }[] }>(
      app,
      `/v1/alerts/${burn.key}`,
    )
    expect(one.body.transitions).toMatchObject([{ transition: 1, status: 'firing' }])
    expect((await get(app, '/v1/alerts/nonsense')).status).toBe(404)
    expect((await get(app, '/v1/alerts?state=angry')).status).toBe(400)
    const { text } = await alertsPage({ ...seen(app), readers: new Readers(connections) })
    expect(text).toContain('4 firing')
    expect(text).toContain('alpha only: the other carriers of dal are fine')
    const page = await app.inject({ url: `/alerts/${burn.key}` })
    expect(page.body).toContain('the desk of alpha')
    const [, byPrefix] = /it is the carrier · <a href="([^"]+)">by prefix/.exec(page.body)!
    const compared = await app.inject({ url: byPrefix!.replaceAll('&amp;', '&') })
    expect(compared.body).toContain('it is this carrier')
    expect((await app.inject({ url: '/alerts' })).statusCode).toBe(200)
    await app.close()
  })

  it('who is held to a carrier sees its alerts only, and in them nothing about the others', async () => {
    const of = (carriers: string[]) => new Readers(connections).seenBy({ id: 'x', role: 'viewer', carriers })
    expect(await readAlerts(of(['beta']), ['firing', 'pending', 'resolved'])).toEqual([])
    const own = await readAlerts(of(['alpha']), ['firing'])
    expect(own.map(({ rule }) => rule)).toContain('SloBurnFast')
    expect(own.map(({ rule }) => rule)).not.toContain('beside-others')
    // A reason that names nobody else is told as it is.
    const pending = await readAlerts(of(['alpha']), ['pending'])
    expect(pending.find(({ rule }) => rule === 'SloBurnSlow')).toMatchObject({
      held: 'SloBurnFast of the same labels tells it',
    })
    for (const { annotations } of own) {
      expect(Object.keys(annotations)).not.toContain('likely_cause')
      expect(Object.keys(annotations).join()).not.toContain('peers')
    }
    expect(await readAlert(of(['beta']), own[0]!.key)).toBeUndefined()
    expect(await readTransitions(of(['beta']), own[0]!.key)).toEqual([])
  })

  it('peers that cannot be read leave the alert as it is, and the log says so', async () => {
    const clients = store.engine.readers.map((client) => ({
      query: (options: Parameters<typeof client.query>[0]) =>
        options.query.includes('AS place') ? Promise.reject(new Error('gone')) : client.query(options),
    })) as typeof store.engine.readers
    const [ofNer] = config.alerts.rules
    const sentences: string[] = []
    const given: AlertNotice[] = []
    const other = startAlerting({
      client: store.engine.writer,
      readers: new Readers(new Connections(clients)),
      config: {
        ...config,
        alerts: { ...config.alerts, rules: [...config.alerts.rules, { ...ofNer!, id: 'ner-low-too' }] },
      },
      outbox: { put: async (notices) => void given.push(...notices) },
      live: () => LIVE,
      log: (_, sentence) => sentences.push(sentence),
      nowMs: () => NOW_US / 1_000,
    })
    await other.evaluateNow()
    await other.stop()
    expect(given.map(({ rule }) => rule)).toEqual(['ner-low-too'])
    expect(given[0]!.annotations).not.toHaveProperty('peers')
    expect(given[0]!.annotations.sample_attempts!.split(' ')).toHaveLength(3)
    expect(sentences[0]).toBe('alerts go out without a comparison with other carriers: gone')
    expect(other.status.failures).toBe(0)
  })
})

function seen(_app: unknown) {
  return {
    config,
    tokens: undefined,
    demo: false,
    live: () => LIVE,
    metrics: async () => '',
    nowUs: () => NOW_US,
    principal: LOOPBACK,
  }
}
