/**
 * `trunkscope api` over a ClickHouse server, as a program: with a user for alerts it evaluates, stores, delivers, and sends
 * dead letters again; two of them decide as one; without that user it says that nobody looks.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeDeliveries } from '../../../api/alerts/outbox-rows.js'
import { applySchema } from '../../../collector/store/schema.js'
import { notice } from '../../api/alerts/notice.js'
import { ClickHouseFront } from '../../support/clickhouse-front.js'
import { RoleProcess } from '../../support/cluster.js'
import { Receiver } from '../../support/receiver.js'

const PASSWORD = 'of-the-alerts'
const DEAD = notice({ sinks: ['desk'] })

let folder: string
let front: ClickHouseFront
let client: ClickHouseClient
let desk: Receiver
const processes: RoleProcess[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-api-alerts-'))
  front = await ClickHouseFront.start({
    users: [
      { name: 'default', password: '' },
      { name: 'trunkscope_api', password: '', readonly: true },
      { name: 'trunkscope_alerts', password: PASSWORD },
    ],
  })
  desk = await Receiver.start()
  const owner = createClient({ url: front.url })
  await owner.command({ query: 'CREATE DATABASE IF NOT EXISTS trunkscope' })
  await owner.close()
  client = createClient({ url: front.url, database: 'trunkscope' })
  await applySchema(client, {})
  // The stores have come to a moment ten minutes ago: an alert that needs no call.
  await client.insert({
    table: 'store_checkpoints',
    values: [
      { bus_partition: 0, version: '1', as_of_us: String((Date.now() - 600_000) * 1_000), stale_minutes: [] },
    ],
    format: 'JSONEachRow',
  })
  await writeDeliveries(client, [
    {
      notice: DEAD,
      sink: 'desk',
      version: 1,
      state: 'dead',
      tries: 1,
      nextTryAtMs: 0,
      lastError: 'answered 400',
      storedAtMs: Date.now(),
      updatedAtMs: Date.now(),
    },
  ])
  writeFileSync(join(folder, 'password'), PASSWORD)
}, 60_000)

afterAll(async () => {
  await Promise.all(processes.map((one) => one.kill('SIGINT')))
  await client.close()
  await front.stop()
  await desk.stop()
  rmSync(folder, { recursive: true })
})

async function start(clickhouse: Record<string, unknown> = {}): Promise<RoleProcess> {
  const path = join(folder, `trunkscope-${processes.length}.json`)
  const config = {
    clickhouse: { url: front.url, username: 'trunkscope_api', ...clickhouse },
    alerts: { evaluation_interval_s: 10 },
    sinks: [{ id: 'desk', type: 'webhook', url: desk.url, template: 'slack', allow_private: true }],
  }
  writeFileSync(path, JSON.stringify(config))
  const one = new RoleProcess('api', ['--config', path, '--http', '127.0.0.1:0'])
  await one.start()
  processes.push(one)
  return one
}

const withUser = () =>
  start({ alerts: { username: 'trunkscope_alerts', password_file: join(folder, 'password') } })

async function evaluated(one: RoleProcess): Promise<void> {
  while ((await one.metric('trunkscope_alerts_evaluations_total{result="ok"}')) === 0) {
    const failed = await one.metric('trunkscope_alerts_evaluations_total{result="failed"}')
    if (failed > 0) throw new Error(one.output)
  }
}

describe('trunkscope api', () => {
  test('without a user for alerts it says at its start and at /alerts that it evaluates none', async () => {
    const one = await start()
    expect(one.output).toContain('not evaluated here: clickhouse.alerts is not configured')
    expect(one.output).toContain('sinks are configured and no alert is evaluated here')
    const page = await (await fetch(`http://${one.http}/alerts`)).text()
    expect(page).toContain('This process evaluates no rule')
    const retried = await fetch(`http://${one.http}/v1/alerts/deliveries/${DEAD.key}.1.desk/retry`, {
      method: 'POST',
    })
    expect(retried.status).toBe(409)
    expect(await retried.text()).toContain('this process sends no alerts')
  }, 60_000)

  test('with one it evaluates and stores, two of them keep one state, and a dead letter is sent again', async () => {
    const both = [await withUser(), await withUser()]
    expect(both[0]!.output).toContain('evaluated every 10 s, told to 1 sinks')
    await Promise.all(both.map(evaluated))
    const answers = await Promise.all(
      both.map(async (one) => (await fetch(`http://${one.http}/v1/alerts?state=pending`)).json()),
    )
    expect(answers[0]).toMatchObject({ alerts: [{ rule: 'CollectorBehind', state: 'pending' }] })
    expect(answers[1]).toEqual(answers[0])
    const stored = await client.query({
      query: 'SELECT rule, toString(count()) AS n FROM alert_states FINAL GROUP BY rule',
      format: 'JSONEachRow',
    })
    expect(await stored.json()).toEqual([{ rule: 'CollectorBehind', n: '1' }])

    const [one] = both
    const id = `${DEAD.key}.1.desk`
    const retried = await fetch(`http://${one!.http}/v1/alerts/deliveries/${id}/retry`, { method: 'POST' })
    expect(await retried.json()).toEqual({ id, state: 'pending' })
    await desk.received(1)
    expect(desk.requests[0]!.body).toContain('20 of 1,000 bad')
    const sinks = ['ok', 'failing', 'left_alone', 'off'].map((state) =>
      one!.metric(`trunkscope_alerts_sink_state{sink="desk",state="${state}"}`),
    )
    expect(await Promise.all(sinks)).toEqual([1, 0, 0, 0])
  }, 60_000)
})
