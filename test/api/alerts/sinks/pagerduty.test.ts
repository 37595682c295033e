import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outbox } from '../../../../api/alerts/outbox.js'
import { pagerDutyRequest } from '../../../../api/alerts/sinks/pagerduty.js'
import { post } from '../../../../api/alerts/sinks/post.js'
import type { PagerDutySink } from '../../../../api/alerts/sinks/sink.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../../support/engine.js'
import { PagerDutyDouble } from '../../../support/pagerduty-double.js'
import { notice, STARTED_US } from '../notice.js'

let double: PagerDutyDouble
let engine: TestEngine
let sink: PagerDutySink
beforeAll(async () => {
  double = await PagerDutyDouble.start()
  engine = await openTestEngine()
  sink = {
    id: 'pagerduty',
    type: 'pagerduty',
    allowPrivate: true,
    url: double.url,
    routingKey: PagerDutyDouble.routingKey,
    routingKeyFile: '',
    repeatIntervalHours: 4,
  }
})
afterAll(async () => {
  await double.stop()
  await engine.discard()
})
beforeEach(async () => {
  double.incidents.clear()
  double.mistakes.length = 0
  double.receiver.requests.length = 0
  await engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' })
})

const statusOf = async (request: Parameters<typeof post>[0]) => {
  const answer = await post(request, { allowPrivate: true })
  return answer.kind === 'answered' ? answer.status : answer.sentence
}

describe('an event for PagerDuty', () => {
  test('says who is bad, where, and how badly', () => {
    expect(JSON.parse(pagerDutyRequest(sink, notice()).body)).toMatchObject({
      event_action: 'trigger',
      dedup_key: notice().key,
      client: 'Trunkscope',
      links: [{ href: 'https://runbooks.example/CarrierBurnFast.md#first-look' }],
      payload: {
        summary: 'alpha dal: burn 20, 20 of 1,000 bad in 1 h (99.5 % promised)',
        source: 'dal',
        severity: 'critical',
        component: 'alpha',
        group: 'alpha',
        class: 'CarrierBurnFast',
        custom_details: { numerator: 20, denominator: 1_000, capture_loss_ratio: 0 },
      },
    })
    expect(JSON.parse(pagerDutyRequest(sink, notice({ severity: 'ticket' })).body)).toMatchObject({
      payload: { severity: 'warning' },
    })
  })

  test('is one that the contract allows, whatever the texts are', async () => {
    const texts = fc.record({
      summary: fc.oneof(fc.string(), fc.string({ unit: 'binary', minLength: 900, maxLength: 3_000 })),
      link: fc.oneof(fc.webUrl(), fc.string()),
      runbook_url: fc.oneof(fc.webUrl(), fc.string()),
      likely_cause: fc.string({ unit: 'binary' }),
    })
    await fc.assert(
      fc.asyncProperty(texts, fc.dictionary(fc.string(), fc.string()), async (annotations, labels) => {
        expect(await statusOf(pagerDutyRequest(sink, notice({ annotations, labels })))).toBe(202)
        expect(
          await statusOf(pagerDutyRequest(sink, notice({ annotations, labels, status: 'resolved' }))),
        ).toBe(202)
      }),
      { numRuns: 30 },
    )
    expect(double.mistakes).toEqual([])
  })

  test('the double refuses what the real one refuses', async () => {
    const event = JSON.parse(pagerDutyRequest(sink, notice()).body) as { payload: object }
    const wrong = [
      { ...event, routing_key: 'x' },
      { ...event, event_action: 'fire' },
      { ...event, dedup_key: 'k'.repeat(256) },
      { ...event, payload: undefined },
      { ...event, payload: { ...event.payload, summary: 's'.repeat(1_025) } },
      { ...event, payload: { ...event.payload, source: '' } },
      { ...event, payload: { ...event.payload, severity: 'page' } },
      { routing_key: PagerDutyDouble.routingKey, event_action: 'resolve' },
    ]
    for (const body of wrong)
      expect(await statusOf({ url: double.url, headers: {}, body: JSON.stringify(body) })).toBe(400)
    expect(double.mistakes).toHaveLength(wrong.length)
  })
})

describe('delivery to PagerDuty', () => {
  test('an incident opens once, whatever was answered on the way, and is resolved', async () => {
    let nowMs = STARTED_US / 1_000
    const outbox = await Outbox.open({
      client: engine.writer,
      sinks: [sink],
      log: () => {},
      nowMs: () => nowMs,
      random: () => 1,
    })
    double.instead.push({ status: 429, headers: { 'retry-after': '20' } }, { status: 500 })
    await outbox.put([notice({ sinks: ['pagerduty'] }), notice({ sinks: ['pagerduty'], status: 'resolved' })])
    await outbox.deliverDue()
    expect(outbox.nextAtMs() - nowMs).toBe(20_000)
    for (let times = 0; times < 3; times++) {
      expect(double.incidents.get(notice().key)?.state ?? 'none').toBe('none')
      nowMs = outbox.nextAtMs()
      await outbox.deliverDue()
      if (double.incidents.size > 0) break
    }
    expect([...double.incidents]).toEqual([
      [notice().key, { summary: notice().annotations.summary, state: 'resolved', triggers: 1 }],
    ])
    await outbox.close()
  })

  test('a wrong routing key is a dead letter at once, and the key stands nowhere', async () => {
    const lines: string[] = []
    const wrong = { ...sink, routingKey: 'WRONGKEYWRONGKEYWRONGKEYWRONGKEY' }
    const outbox = await Outbox.open({
      client: engine.writer,
      sinks: [wrong],
      log: (_, sentence) => lines.push(sentence),
    })
    await outbox.put([notice({ sinks: ['pagerduty'] })])
    await outbox.deliverDue()
    const rows = await rowsOf(engine.writer, 'SELECT * FROM alert_deliveries FINAL')
    expect(rows).toMatchObject([{ state: 'dead', last_error: 'answered 400' }])
    expect(JSON.stringify([rows, lines])).not.toContain('WRONGKEY')
    await outbox.close()
  })
})
