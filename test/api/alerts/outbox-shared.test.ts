import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outbox } from '../../../api/alerts/outbox.js'
import type { Post } from '../../../api/alerts/sinks/post.js'
import type { Sink } from '../../../api/alerts/sinks/sink.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { notice, noticeOf, STARTED_US } from './notice.js'
import { alertmanager, hook, Wire } from './wire.js'

let engine: TestEngine
let nowMs: number
const opened: Outbox[] = []
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(async () => {
  nowMs = STARTED_US / 1_000
  await engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' })
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((outbox) => outbox.close()))
})

async function open(post: Post, ...sinks: Sink[]): Promise<Outbox> {
  const outbox = await Outbox.open({
    client: engine.writer,
    sinks,
    log: () => {},
    nowMs: () => nowMs,
    random: () => 1,
    post,
  })
  opened.push(outbox)
  return outbox
}

const stored = () =>
  rowsOf<{ transition: string; sink: string; state: string }>(
    engine.writer,
    `SELECT toString(transition) AS transition, sink, state FROM alert_deliveries FINAL
     ORDER BY alert_key, transition, sink`,
  )

describe('two processes over the same tables', () => {
  test('what one told the other does not tell, and both know that it fires', async () => {
    const [first, second] = [new Wire(), new Wire()]
    const one = await open(first.post, alertmanager)
    const other = await open(second.post, alertmanager)
    await one.put([notice({ sinks: ['am'] })])
    await other.put([notice({ sinks: ['am'] })])
    await one.deliverDue()
    await other.deliverDue()
    expect([first.sent.length, second.sent.length]).toEqual([1, 0])
    expect(other.sinks).toMatchObject([{ waiting: 0, firing: 1 }])
  })

  test('an alert that one resolved does not fire again from the other', async () => {
    const [first, second] = [new Wire(), new Wire()]
    const one = await open(first.post, alertmanager)
    await one.put([notice({ sinks: ['am'] })])
    await one.deliverDue()
    const other = await open(second.post, alertmanager)
    await other.put([notice({ sinks: ['am'], status: 'resolved' })])
    await other.deliverDue()
    nowMs += 60_000
    await one.deliverDue()
    expect([first.sent.length, second.sent.length]).toEqual([1, 1])
    expect(one.sinks).toMatchObject([{ firing: 0 }])
  })

  test('the later state waits for the earlier one that the other stored, and is not followed by it', async () => {
    const [first, second] = [new Wire(500), new Wire()]
    const one = await open(first.post, hook())
    await one.put([notice()])
    await one.deliverDue()
    const other = await open(second.post, hook())
    await other.put([notice({ status: 'resolved' })])
    nowMs += 10_000
    await other.deliverDue()
    await one.deliverDue()
    expect(second.ids.map((id) => id.at(-1))).toEqual(['1', '2'])
    expect([first.sent.length, one.sinks[0]!.waiting]).toEqual([1, 0])
  })

  test('what one left behind the other takes over after a while, the repeats too', async () => {
    const wire = new Wire()
    const survivor = await open(wire.post, hook(), alertmanager)
    const dying = await open(new Wire(200, 500).post, alertmanager, hook())
    await dying.put([noticeOf('alpha', { sinks: ['am'] }), noticeOf('bravo', { sinks: ['hook'] })])
    await dying.deliverDue()
    await survivor.takeOver()
    await survivor.deliverDue()
    expect(wire.sent).toEqual([])
    nowMs += 130_000
    await survivor.takeOver()
    await survivor.deliverDue()
    expect(wire.sent.map(({ url }) => new URL(url).host).sort()).toEqual(['am.example:9093', 'hooks.example'])
    expect((await stored()).map(({ state }) => state)).toEqual(['delivered', 'delivered'])
  })
})

test('who heard that an alert fires hears of its end, whatever the rule says by then', async () => {
  const wire = new Wire()
  const outbox = await open(wire.post, hook(), alertmanager)
  await outbox.put([notice({ sinks: ['hook'] })])
  await outbox.deliverDue()
  await outbox.put([notice({ sinks: ['am'], status: 'resolved' })])
  await outbox.deliverDue()
  expect((await stored()).map(({ sink, transition }) => `${sink} ${transition}`)).toEqual([
    'hook 1',
    'am 2',
    'hook 2',
  ])
})
