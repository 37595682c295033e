/** Two api processes over the same tables evaluate the same minutes side by side: they decide as one. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startAlerting } from '../../../api/alerts/alerting.js'
import { Outbox } from '../../../api/alerts/outbox.js'
import { Connections, Readers } from '../../../api/readers.js'
import { configSchema } from '../../../schemas/config.js'
import { rowsOf } from '../../support/engine.js'
import { attempt, CONFIG, ENDED, liveStatus, NOON_S, NOON_US, TestStore } from '../support.js'
import { hook, Wire } from './wire.js'

let store: TestStore
beforeAll(async () => {
  store = await TestStore.open()
  // Ten calls a minute for forty minutes; of the first ten minutes every one fails.
  await store.add(
    Array.from({ length: 400 }, (_, index) => {
      const minute = Math.floor(index / 10)
      return attempt({
        carrier: 'alpha',
        site: 'dal',
        invitedAtUs: (NOON_S + minute * 60 + 5) * 1e6 + index,
        ...(minute < 10 ? ENDED.congestion : {}),
      })
    }),
  )
}, 60_000)
afterAll(() => store.close())

const config = {
  ...CONFIG,
  alerts: configSchema.shape.alerts.parse({
    sinks: { page: ['hook'], ticket: ['hook'] },
    rules: [{ id: 'ner-low', kpi: 'ner', below: 0.9, window_minutes: 5, for_minutes: 0, severity: 'page' }],
  }),
}

it('same keys, each transition once, no state twice, and each notice under one id', async () => {
  let nowS = 0
  const wire = new Wire()
  const connections = new Connections(store.engine.readers)
  const process = async (aheadMs: number) => {
    const nowMs = () => nowS * 1_000 + aheadMs
    const outbox = await Outbox.open({
      client: store.engine.writer,
      sinks: [hook()],
      log: () => {},
      nowMs,
      random: () => 1,
      post: wire.post,
    })
    const failures: string[] = []
    const alerting = startAlerting({
      client: store.engine.writer,
      readers: new Readers(connections),
      config,
      outbox,
      live: () => liveStatus({ asOfUs: nowS * 1e6, startedAtUs: NOON_US - 86_400e6 }),
      log: (level, sentence) => void (level === 'error' && failures.push(sentence)),
      nowMs,
    })
    return { outbox, alerting, failures }
  }
  // Their clocks are not quite the same.
  const both = [await process(12_000), await process(13_400)]
  for (nowS = NOON_S + 240; nowS <= NOON_S + 1_200; nowS += 240) {
    await Promise.all(both.map(({ alerting }) => alerting.evaluateNow()))
    await Promise.all(both.map(({ outbox }) => outbox.deliverDue()))
  }
  expect(both.flatMap(({ failures }) => failures)).toEqual([])

  const { writer } = store.engine
  const states = await rowsOf<{ rule: string; state: string; n: string }>(
    writer,
    'SELECT rule, any(state) AS state, toString(count()) AS n FROM alert_states FINAL GROUP BY rule ORDER BY rule',
  )
  expect(states).toContainEqual({ rule: 'ner-low', state: 'resolved', n: '1' })
  expect(states.map(({ n }) => n)).toEqual(states.map(() => '1'))
  const transitions = await rowsOf<{ alert_key: string; transition: string; status: string }>(
    writer,
    `SELECT alert_key, toString(transition) AS transition, status FROM alert_transitions FINAL
     WHERE rule = 'ner-low' ORDER BY alert_transitions.transition`,
  )
  expect(new Set(transitions.map(({ alert_key }) => alert_key)).size).toBe(1)
  expect(transitions.map(({ transition, status }) => [transition, status])).toEqual([
    ['1', 'firing'],
    ['2', 'resolved'],
  ])
  const deliveries = await rowsOf<{ n: string; ids: string }>(
    writer,
    `SELECT toString(count()) AS n, toString(uniqExact(alert_key, transition, sink)) AS ids FROM alert_deliveries FINAL
     WHERE state = 'delivered'`,
  )
  expect(Number(deliveries[0]!.n)).toBeGreaterThan(1)
  expect(deliveries[0]!.n).toBe(deliveries[0]!.ids)
  expect(both.map(({ alerting }) => alerting.status.firing)).toEqual([
    both[1]!.alerting.status.firing,
    both[0]!.alerting.status.firing,
  ])
  for (const { alerting, outbox } of both) {
    await alerting.stop()
    await outbox.close()
  }
}, 60_000)
