import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { parse, stringify } from 'yaml'
import { Outbox } from '../../../api/alerts/outbox.js'
import type { AlertNotice } from '../../../schemas/alert-hook.js'
import { Alertmanager } from '../../support/alertmanager.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { missingPrograms, needs, programPath } from '../../support/outside-programs.js'
import { Receiver } from '../../support/receiver.js'
import { noticeOf } from './notice.js'

const SHIPPED = 'deploy/alertmanager/alertmanager.yml'
const test = needs('prometheus-alertmanager')

interface Notification {
  receiver: string
  status: string
  groupLabels: Record<string, string>
  alerts: { status: string; labels: Record<string, string> }[]
}

let receiver: Receiver
let alertmanager: Alertmanager
let engine: TestEngine
let outbox: Outbox
beforeEach(async () => {
  if (missingPrograms('prometheus-alertmanager').length > 0) return
  receiver = await Receiver.start()
  alertmanager = await Alertmanager.start(shippedConfig(receiver.url))
  engine = await openTestEngine()
  outbox = await Outbox.open({
    client: engine.writer,
    sinks: [
      { id: 'am', type: 'alertmanager', allowPrivate: true, url: alertmanager.url, resendIntervalS: 60 },
    ],
    log: () => {},
  })
})
afterEach(async () => {
  await outbox?.close()
  await engine?.discard()
  await alertmanager?.stop()
  await receiver?.stop()
})

/** The file that is shipped, telling the receiver of this test, and without the waits. */
function shippedConfig(url: string): string {
  interface Route {
    group_wait: string
    group_interval: string
    routes?: Route[]
  }
  const config = parse(readFileSync(SHIPPED, 'utf8')) as {
    route: Route
    receivers: Record<string, unknown>[]
  }
  const hurry = (route: Route) => {
    Object.assign(route, { group_wait: '500ms', group_interval: '1s' })
    for (const inner of route.routes ?? []) hurry(inner)
  }
  hurry(config.route)
  for (const one of config.receivers) one.webhook_configs = [{ url, send_resolved: true }]
  return stringify(config)
}

async function tell(...notices: AlertNotice[]): Promise<void> {
  await outbox.put(notices)
  await outbox.deliverDue()
}

const of = (carrier: string, changes: Partial<AlertNotice> = {}) => {
  const rule = changes.rule ?? 'CarrierBurnFast'
  const severity = changes.severity ?? 'page'
  const base = noticeOf(carrier, {
    sinks: ['am'],
    severity,
    startsAtUs: Date.now() * 1_000 - 60e6,
    ...changes,
  })
  return {
    ...base,
    key: changes.key ?? Buffer.from(`${rule}${carrier}`.padEnd(16, '.')).toString('hex').slice(-32),
    labels: { ...base.labels, alertname: rule, severity },
  }
}

const notifications = () => receiver.requests.map(({ body }) => JSON.parse(body) as Notification)

describe('a real Alertmanager', () => {
  test('is told that an alert fires, and that it is resolved', async () => {
    await tell(of('alpha'))
    await receiver.received(1)
    expect(await alertmanager.alerts()).toMatchObject([
      {
        labels: { alertname: 'CarrierBurnFast', carrier: 'alpha', site: 'dal', severity: 'page' },
        annotations: { likely_cause: 'alpha only: the other carriers of dal are fine' },
        status: { state: 'active' },
      },
    ])
    await tell(of('alpha', { status: 'resolved', endsAtUs: Date.now() * 1_000 }))
    await receiver.received(2)
    expect(notifications().map(({ receiver, status }) => `${receiver} ${status}`)).toEqual([
      'on-call firing',
      'on-call resolved',
    ])
    expect(await alertmanager.alerts()).toEqual([])
  }, 30_000)

  test('groups what one carrier does at one site, and keeps carriers apart', async () => {
    const slow = { rule: 'CarrierBurnSlow' }
    await tell(of('alpha'), of('alpha', slow), of('bravo'))
    await receiver.received(2)
    const grouped = notifications().map(
      ({ groupLabels, alerts }) => `${groupLabels.carrier} ${alerts.length}`,
    )
    expect(grouped.sort()).toEqual(['alpha 2', 'bravo 1'])
  }, 30_000)

  test('keeps tickets quiet beside a page of the same carrier and site, and everything a blind tap explains', async () => {
    const tap = of('', {
      rule: 'TapBlind',
      key: 'f'.repeat(32),
    })
    const blind: AlertNotice = {
      ...tap,
      labels: { alertname: 'TapBlind', severity: 'page', site: 'fra', agent: '2101' },
    }
    const atFra = (carrier: string) => {
      const one = of(carrier, { rule: 'CarrierAsrLow' })
      return { ...one, labels: { ...one.labels, site: 'fra' } }
    }
    const ticket = { rule: 'CarrierPddHigh', severity: 'ticket' } as const
    await tell(of('alpha'), of('bravo', ticket), blind)
    await receiver.received(3)
    // What is kept quiet comes before an alert that is not: when that one is heard of, so would they have been.
    await tell(of('alpha', ticket), atFra('charlie'))
    await tell(of('delta', ticket))
    await receiver.received(4)
    const states = (await alertmanager.alerts()).map(
      ({ labels, status }) => `${labels.alertname} ${labels.carrier ?? labels.agent} ${status.state}`,
    )
    expect(states.sort()).toEqual([
      'CarrierAsrLow charlie suppressed',
      'CarrierBurnFast alpha active',
      'CarrierPddHigh alpha suppressed',
      'CarrierPddHigh bravo active',
      'CarrierPddHigh delta active',
      'TapBlind 2101 active',
    ])
    expect(
      notifications()
        .map(({ alerts }) => alerts.map(({ labels }) => `${labels.alertname} ${labels.carrier ?? ''}`).join())
        .sort(),
    ).toEqual(['CarrierBurnFast alpha', 'CarrierPddHigh bravo', 'CarrierPddHigh delta', 'TapBlind '])
  }, 30_000)

  test('takes alerts whose labels needed cleaning, and refuses none of a batch', async () => {
    const odd = of('alpha', {
      annotations: { summary: 'a\u0000b <b> "x"', 'likely-cause': 'c', link: 'no link' },
    })
    const labels = { ...odd.labels, 'destination.country': 'DE', '9th': 'x', empty: '' }
    await tell({ ...odd, labels }, of('bravo'))
    const rows = await rowsOf(engine.writer, 'SELECT DISTINCT state FROM alert_deliveries FINAL')
    expect(rows).toEqual([{ state: 'delivered' }])
    const [alert] = (await alertmanager.alerts()).filter(({ labels }) => labels.carrier === 'alpha')
    expect(alert!.labels).toMatchObject({ destination_country: 'DE', _9th: 'x' })
  }, 30_000)

  test('refuses a batch for one bad alert: that one is found, and the good ones are taken once more', async () => {
    // It never fires: Alertmanager wants the start before the end, and this one starts tomorrow.
    const bad = of('bravo', { startsAtUs: Date.now() * 1_000 + 86_400e6 })
    await tell(of('alpha'), bad, of('charlie'))
    const rows = await rowsOf<{ carrier: string; state: string; last_error: string }>(
      engine.writer,
      'SELECT carrier, state, last_error FROM alert_deliveries FINAL ORDER BY carrier',
    )
    expect(rows).toEqual([
      { carrier: 'alpha', state: 'delivered', last_error: '' },
      { carrier: 'bravo', state: 'dead', last_error: 'answered 400' },
      { carrier: 'charlie', state: 'delivered', last_error: '' },
    ])
    expect((await alertmanager.alerts()).map(({ labels }) => labels.carrier).sort()).toEqual([
      'alpha',
      'charlie',
    ])
  }, 30_000)
})

describe('the shipped configuration of Alertmanager', () => {
  needs('amtool')('is one that amtool accepts', () => {
    const { status, stderr, stdout } = spawnSync(programPath('amtool')!, ['check-config', SHIPPED], {
      encoding: 'utf8',
    })
    expect(`${stdout}${stderr}`).toContain('SUCCESS')
    expect(status).toBe(0)
  })

  needs('amtool')('sends pages to on-call and everything else to tickets', () => {
    const routeOf = (...labels: string[]) =>
      spawnSync(programPath('amtool')!, ['config', 'routes', 'test', `--config.file=${SHIPPED}`, ...labels], {
        encoding: 'utf8',
      }).stdout.trim()
    expect(routeOf('severity=page', 'carrier=alpha')).toBe('on-call')
    expect(routeOf('severity=ticket', 'carrier=alpha')).toBe('tickets')
  })
})
