import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { runAlertsTest } from '../../../bin/run/alerts-test.js'
import type { SinkConfig } from '../../../schemas/sinks.js'
import { Alertmanager } from '../../support/alertmanager.js'
import { needs } from '../../support/outside-programs.js'
import { PagerDutyDouble } from '../../support/pagerduty-double.js'
import { answer, type Behaviour, Receiver } from '../../support/receiver.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-alerts-test-'))
afterAll(() => rmSync(folder, { recursive: true }))
const keyFile = join(folder, 'key')
writeFileSync(keyFile, `${PagerDutyDouble.routingKey}\n`)

const stopping: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((one) => one.stop()))
})

async function run(sink: SinkConfig): Promise<{ said: string; fix: string }> {
  let said = ''
  try {
    await runAlertsTest({ sink }, (text) => {
      said += text
    })
    return { said, fix: '' }
  } catch (error) {
    expect(error).toMatchObject({ code: 'TRUNKSCOPE_ALERTS_TEST_FAILED' })
    return { said, fix: (error as { fix: string }).fix }
  }
}

async function slack(behaviour: Behaviour): Promise<SinkConfig & { url: string }> {
  const receiver = await Receiver.start(behaviour)
  stopping.push(receiver)
  return {
    id: 'chat',
    type: 'webhook',
    template: 'slack',
    allowPrivate: true,
    url: receiver.url,
    urlFile: undefined,
    secretFile: undefined,
    repeatIntervalHours: 4,
  }
}

describe('trunkscope alerts test', () => {
  test('opens an incident and closes it, and says so', async () => {
    const double = await PagerDutyDouble.start()
    stopping.push(double)
    const { said } = await run({
      id: 'pagerduty',
      type: 'pagerduty',
      allowPrivate: true,
      url: double.url,
      routingKeyFile: keyFile,
      repeatIntervalHours: 4,
    })
    expect(said).toMatch(
      /^sink pagerduty: PagerDuty at 127\.0\.0\.1:\d+\n {2}firing {4}answered 202\n {2}resolved {2}answered 202\nThe sink takes alerts\.\n$/,
    )
    expect([...double.incidents.values()]).toMatchObject([{ state: 'resolved', triggers: 1 }])
  })

  needs('prometheus-alertmanager')(
    'a real Alertmanager takes it, too',
    async () => {
      const alertmanager = await Alertmanager.start(
        'route: { receiver: none }\nreceivers: [{ name: none }]\n',
      )
      stopping.push(alertmanager)
      const { said } = await run({
        id: 'am',
        type: 'alertmanager',
        allowPrivate: true,
        url: alertmanager.url,
        resendIntervalS: 60,
      })
      expect(said).toContain('resolved  answered 200\nAlertmanager took it.')
    },
    30_000,
  )

  test.each([
    [answer(302, { location: '/other' }), 'redirects are not followed'],
    [answer(403), 'check the secret'],
    [answer(404), 'check its path'],
    [answer(410), 'make a new one'],
    [answer(429), 'wait a minute'],
    [answer(500), 'its log says why'],
    [answer(400), 'still has its channel'],
    [((_, response) => response.destroy()) as Behaviour, 'https where TLS is spoken'],
  ])('says what to do when it is not taken: %#', async (behaviour, fix) => {
    const sink = await slack(behaviour)
    const result = await run(sink)
    expect(result.fix).toContain(fix)
    expect(`${result.said}${result.fix}`).not.toContain('/hook')
  })

  test('says what to do about a private address and a port where nothing listens', async () => {
    const sink = await slack(answer(200))
    expect((await run({ ...sink, allowPrivate: false })).fix).toContain('allow_private: true')
    const closed = await Receiver.start()
    const { url } = closed
    await closed.stop()
    expect((await run({ ...sink, url })).fix).toContain('Nothing listens there')
  })
})
