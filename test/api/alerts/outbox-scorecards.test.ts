/** Scorecards through the outbox of alerts: over a real wire, signed, once, and never as an alert. */
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Outbox } from '../../../api/alerts/outbox.js'
import type { Sink } from '../../../api/alerts/sinks/sink.js'
import type { Notice } from '../../../schemas/alert-hook.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { answer, Receiver } from '../../support/receiver.js'
import { notice } from './notice.js'
import { HEADLINE, scorecardNoticeOf } from './scorecard-notice.js'
import { alertmanager, hook, slack, Wire } from './wire.js'

let engine: TestEngine
let receiver: Receiver
// The package refuses a timestamp that is minutes away from the clock of the machine.
let nowMs = Date.now()
beforeAll(async () => {
  engine = await openTestEngine()
  receiver = await Receiver.start()
})
afterAll(async () => {
  await receiver.stop()
  await engine.discard()
})
afterEach(() => engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' }))

/** Numbers as the page writes them, with a narrow space. */
const SUMMARY =
  'Alpha Telecom, 2026-W47: grade B, low confidence; NER 98.1\u202f% (97.3\u202f% to 98.9\u202f%).'

const open = (sinks: Sink[], wire?: Wire) =>
  Outbox.open({
    client: engine.writer,
    sinks,
    log: () => {},
    nowMs: () => nowMs,
    random: () => 1,
    ...(wire === undefined ? {} : { post: wire.post }),
  })
const rows = () =>
  rowsOf<{ sink: string; state: string; status: string; last_error: string; carrier: string }>(
    engine.writer,
    'SELECT sink, state, status, last_error, carrier FROM alert_deliveries FINAL ORDER BY sink',
  )

describe('a scorecard in the outbox', () => {
  test('is told a webhook once, signed, under one id over tries and restarts', async () => {
    const told = scorecardNoticeOf()
    receiver.behaviour = answer(503)
    const first = await open([hook(receiver.url)])
    await first.put([told])
    await first.put([told])
    await first.deliverDue()
    expect(await rows()).toMatchObject([
      { sink: 'hook', state: 'retrying', status: 'made', carrier: 'alpha' },
    ])
    await first.close()
    receiver.behaviour = answer(200)
    nowMs += 2_000
    const second = await open([hook(receiver.url)])
    await second.deliverDue()
    await second.deliverDue()
    expect(await rows()).toMatchObject([{ state: 'delivered' }])
    // Nothing fires: it is not told again.
    expect(second.nextAtMs()).toBe(Number.POSITIVE_INFINITY)
    await second.close()
    const third = await open([hook(receiver.url)])
    await third.put([told])
    nowMs += 48 * 3_600_000
    await third.deliverDue()
    nowMs -= 48 * 3_600_000
    await third.close()

    expect(receiver.requests.map(({ headers }) => headers['webhook-id'])).toEqual([
      `${told.key}.1`,
      `${told.key}.1`,
    ])
    for (const { body, headers } of receiver.requests) {
      const verified = new Webhook(`whsec_${Buffer.alloc(32, 7).toString('base64')}`).verify(
        body,
        headers as Record<string, string>,
      )
      expect(verified).toMatchObject({
        type: 'scorecard.made',
        timestamp: '2026-11-23T06:00:05.000Z',
        data: {
          key: told.key,
          schedule: 'weekly',
          fired_at: '2026-11-23T06:00:00.000Z',
          summary: SUMMARY,
          link: 'https://trunkscope.example/v1/documents/1',
          carrier: { id: 'alpha', grade: 'B' },
          rows: HEADLINE.rows,
          documents: told.documents,
        },
      })
    }
  })

  test('is a line of text in Slack, in which nothing becomes a link or a mention', async () => {
    const wire = new Wire()
    const outbox = await open([slack], wire)
    const summary = 'Alpha <!channel> & <https://evil.example|x>, 2026-W47: grade B'
    await outbox.put([
      scorecardNoticeOf({
        sinks: ['slack'],
        annotations: { summary, link: 'https://trunkscope.example/v1/documents/1' },
      }),
    ])
    await outbox.deliverDue()
    await outbox.close()
    expect((JSON.parse(wire.sent[0]!.body) as { text: string }).text).toBe(
      '*Scorecard* Alpha &lt;!channel&gt; &amp; &lt;https://evil.example|x&gt;, 2026-W47: grade B\n' +
        '<https://trunkscope.example/v1/documents/1|open it>',
    )
  })

  test('a sink that became another one by a reload gets none: it is a dead letter, and alerts go on', async () => {
    const wire = new Wire(503)
    const outbox = await open([hook()], wire)
    await outbox.put([scorecardNoticeOf()])
    await outbox.deliverDue()
    await outbox.reconfigure([{ ...alertmanager, id: 'hook' } as Sink])
    nowMs += 60_000
    await outbox.put([notice()])
    await outbox.deliverDue()
    await outbox.put([scorecardNoticeOf({ key: 'f'.repeat(32) })])
    await outbox.close()
    expect(wire.sent).toHaveLength(2)
    expect((await rows()).map(({ status, state }) => `${status} ${state}`).sort()).toEqual([
      'firing delivered',
      'made dead',
      'made dead',
    ])
  })

  test('alerts and scorecards of a carrier may come in one message of Slack', async () => {
    const wire = new Wire()
    const outbox = await open([slack], wire)
    const both: Notice[] = [notice({ sinks: ['slack'] }), scorecardNoticeOf({ sinks: ['slack'] })]
    await outbox.put(both)
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(1)
    expect(wire.sent[0]!.body).toMatch(/FIRING page.*\*Scorecard\* Alpha Telecom/)
    expect(outbox.sinks).toMatchObject([{ firing: 1, waiting: 0 }])
    await outbox.close()
  })
})
