/** What `/metrics` says of sinks, from a real outbox. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AlertingStatus } from '../../../api/alerts/alerting.js'
import { alertMetrics } from '../../../api/alerts/metrics.js'
import { Outbox } from '../../../api/alerts/outbox.js'
import { openTestEngine, type TestEngine } from '../../support/engine.js'
import { noticeOf, STARTED_US } from './notice.js'
import { hook, Wire } from './wire.js'

const STATUS: AlertingStatus = {
  evaluations: 3,
  failures: 1,
  problem: '',
  evaluatedAtMs: 5_000,
  lastSeconds: 0.5,
  firing: 2,
  pending: 1,
  held: 1,
  cut: 0,
}

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())

it('waiting, dead and how each sink is, by its id', async () => {
  let nowMs = STARTED_US / 1_000
  const wire = new Wire()
  wire.always = ({ url }) => (url.includes('refuses') ? 400 : url.includes('gone') ? 410 : 503)
  const outbox = await Outbox.open({
    client: engine.writer,
    sinks: [
      hook('https://down.example/x', 'down'),
      hook('https://refuses.example/x', 'refuses'),
      hook('https://gone.example/x', 'gone'),
      hook('https://idle.example/x', 'idle'),
    ],
    log: () => {},
    nowMs: () => nowMs,
    random: () => 1,
    post: wire.post,
  })
  const lines = async (name: string) =>
    (await alertMetrics(STATUS, outbox.sinks))
      .split('\n')
      .filter((line) => line.startsWith(name) && !line.endsWith(' 0'))
      .map((line) => line.slice(name.length))
  await outbox.put([noticeOf('alpha', { sinks: ['down', 'refuses', 'gone'] })])
  await outbox.deliverDue()
  expect(await lines('trunkscope_alerts_deliveries_waiting')).toEqual(['{sink="down"} 1'])
  expect(await lines('trunkscope_alerts_deliveries_dead_total')).toEqual([
    '{sink="refuses"} 1',
    '{sink="gone"} 1',
  ])
  expect(await lines('trunkscope_alerts_sink_state')).toEqual([
    '{sink="down",state="failing"} 1',
    '{sink="refuses",state="ok"} 1',
    '{sink="gone",state="off"} 1',
    '{sink="idle",state="ok"} 1',
  ])
  // Four more failures, and the sink is left alone for a while. What is for one that is off is dead at once.
  for (let tries = 0; tries < 4; tries++) {
    nowMs = outbox.nextAtMs()
    await outbox.deliverDue()
  }
  await outbox.put([noticeOf('beta', { sinks: ['gone'] })])
  expect(await lines('trunkscope_alerts_sink_state{sink="down"')).toEqual([',state="left_alone"} 1'])
  expect(await lines('trunkscope_alerts_deliveries_dead_total{sink="gone"')).toEqual(['} 2'])
  await outbox.close()
})
