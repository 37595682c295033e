import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outbox } from '../../../api/alerts/outbox.js'
import { TRIES_MAX } from '../../../api/alerts/outbox-queue.js'
import type { Post } from '../../../api/alerts/sinks/post.js'
import type { Sink } from '../../../api/alerts/sinks/sink.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { answer, Receiver } from '../../support/receiver.js'
import { notice, noticeOf, STARTED_US } from './notice.js'
import { alertmanager, carriersOf, hook, slack, Wire } from './wire.js'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

let engine: TestEngine
let nowMs: number
let logged: string[]
const opened: Outbox[] = []
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(async () => {
  nowMs = STARTED_US / 1_000
  logged = []
  await engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' })
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((outbox) => outbox.close()))
})

async function open(post: Post | undefined, ...sinks: Sink[]): Promise<Outbox> {
  const outbox = await Outbox.open({
    client: engine.writer,
    sinks,
    log: (level, sentence) => logged.push(`${level}: ${sentence}`),
    nowMs: () => nowMs,
    random: () => 1,
    closeWaitMs: 50,
    ...(post === undefined ? {} : { post }),
  })
  opened.push(outbox)
  return outbox
}

interface Stored {
  transition: string
  sink: string
  state: string
  tries: number
  last_error: string
}
const stored = () =>
  rowsOf<Stored>(
    engine.writer,
    `SELECT toString(transition) AS transition, sink, state, tries, last_error FROM alert_deliveries FINAL
     ORDER BY alert_key, transition, sink`,
  )

/** Lets the time pass to what is due next, and sends it. */
async function step(outbox: Outbox): Promise<void> {
  nowMs = Math.max(nowMs, outbox.nextAtMs())
  await outbox.deliverDue()
}

describe('the outbox', () => {
  test('stores before it sends, and sends what a receiver verifies as a Standard Webhook', async () => {
    const receiver = await Receiver.start()
    nowMs = Date.now() // The verifying package reads the clock of the machine.
    const outbox = await open(undefined, hook(receiver.url))
    await outbox.put([notice()])
    expect(await stored()).toMatchObject([{ state: 'pending', tries: 0 }])
    expect(receiver.requests).toEqual([])
    await outbox.deliverDue()
    const [request] = receiver.requests
    const payload = new Webhook(SECRET).verify(request!.body, request!.headers as Record<string, string>)
    expect(payload).toMatchObject({
      type: 'alert.firing',
      data: { rule: 'CarrierBurnFast', status: 'firing' },
    })
    expect(request!.headers['webhook-id']).toBe(`${notice().key}.1`)
    expect(await stored()).toMatchObject([{ state: 'delivered', tries: 1, last_error: '' }])
    await receiver.stop()
  })

  test('the same notice twice is one delivery, also when it was delivered before', async () => {
    const wire = new Wire()
    const outbox = await open(wire.post, hook())
    await Promise.all([outbox.put([notice(), notice()]), outbox.put([notice()])])
    await outbox.deliverDue()
    await outbox.put([notice()])
    await outbox.deliverDue()
    expect(wire.ids).toEqual([`${notice().key}.1`])
  })

  test('a failure is tried again later and later, with the same id and a new timestamp', async () => {
    const wire = new Wire(500, { kind: 'failed', sentence: 'no answer within 10 s' }, 302, 401)
    const outbox = await open(wire.post, hook())
    await outbox.put([notice()])
    const atMs: number[] = []
    while ((await stored())[0]?.state !== 'delivered') {
      await step(outbox)
      atMs.push(nowMs - STARTED_US / 1_000)
      await outbox.deliverDue() // Nothing is due before its time.
    }
    expect(atMs).toEqual([0, 1_000, 3_000, 7_000, 15_000])
    expect(new Set(wire.ids).size).toBe(1)
    expect(new Set(wire.sent.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(5)
  })

  test('says of a failure what it was, in words of its own', async () => {
    const wire = new Wire(302)
    const outbox = await open(wire.post, hook())
    await outbox.put([notice()])
    await outbox.deliverDue()
    expect(await stored()).toMatchObject([
      { state: 'retrying', tries: 1, last_error: 'answered 302 (a redirect, which is not followed)' },
    ])
  })

  test('Retry-After is honoured, for everything that waits for that sink', async () => {
    const wire = new Wire({ kind: 'answered', status: 429, retryAfterMs: 90_000 })
    const outbox = await open(wire.post, hook())
    await outbox.put([noticeOf('alpha'), noticeOf('bravo')])
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(1)
    expect(outbox.nextAtMs()).toBe(nowMs + 90_000)
    await step(outbox)
    expect(wire.sent).toHaveLength(3)
  })

  test('a refusal is a dead letter at once, and holds up neither later notices nor other alerts', async () => {
    const wire = new Wire(400)
    const outbox = await open(wire.post, hook())
    await outbox.put([notice(), notice({ status: 'resolved' }), noticeOf('bravo')])
    await outbox.deliverDue()
    expect((await stored()).map(({ state }) => state).sort()).toEqual(['dead', 'delivered', 'delivered'])
    expect(logged.join()).toContain('answered 400; see /v1/alerts/deliveries')
  })

  test(`after ${TRIES_MAX} tries it is a dead letter`, async () => {
    const wire = new Wire()
    wire.always = 503
    const outbox = await open(wire.post, hook())
    await outbox.put([notice()])
    while (outbox.nextAtMs() !== Number.POSITIVE_INFINITY) await step(outbox)
    expect(await stored()).toMatchObject([
      { state: 'dead', tries: TRIES_MAX, last_error: `answered 503, ${TRIES_MAX} times` },
    ])
    expect(nowMs - STARTED_US / 1_000).toBeGreaterThan(6 * 3_600_000)
  })

  test('after five failures in a row one request a while looks whether the sink is back', async () => {
    const wire = new Wire()
    wire.always = 500
    const outbox = await open(wire.post, hook())
    await outbox.put(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((carrier) => noticeOf(carrier)))
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(5)
    expect(outbox.nextAtMs()).toBe(nowMs + 30_000)
    await step(outbox)
    expect(wire.sent).toHaveLength(6)
    // The two that were not tried yet come first.
    expect(new Set(wire.ids).size).toBe(6)
    wire.always = 200
    await step(outbox)
    expect(wire.sent).toHaveLength(13)
    expect(logged.filter((line) => line.includes('takes alerts again'))).toHaveLength(1)
    expect(outbox.sinks).toMatchObject([{ state: 'ok', waiting: 0, firing: 7 }])
  })

  test('410 switches a webhook off until the next start', async () => {
    const wire = new Wire(410)
    const outbox = await open(wire.post, hook())
    await outbox.put([noticeOf('alpha'), noticeOf('bravo')])
    await outbox.deliverDue()
    await outbox.put([noticeOf('charlie')])
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(1)
    expect((await stored()).map(({ state }) => state)).toEqual(['dead', 'dead', 'dead'])
    expect(logged.join()).toContain('it is off until the next start')
    expect(await outbox.retry({ key: noticeOf('alpha').key, transition: 1, sink: 'hook' })).toBe('sink_off')
    const next = await open(wire.post, hook())
    expect(await next.retry({ key: noticeOf('alpha').key, transition: 1, sink: 'hook' })).toBe('retried')
    await next.deliverDue()
    expect(wire.sent).toHaveLength(2)
  })

  test('a sink that hangs holds up neither what is stored nor another sink', async () => {
    const hanging = await Receiver.start(() => {})
    const quick = await Receiver.start()
    const outbox = await open(undefined, hook(hanging.url, 'slow'), hook(quick.url, 'quick'))
    outbox.start()
    await outbox.put([notice({ sinks: ['slow', 'quick'] })])
    await Promise.all([hanging.received(1), quick.received(1)])
    await outbox.put([noticeOf('bravo', { sinks: ['slow', 'quick'] })])
    await quick.received(2)
    expect(hanging.requests).toHaveLength(1)
    await outbox.close()
    // What hung is not lost, and did not count as a try.
    expect(await stored()).toContainEqual(
      expect.objectContaining({ sink: 'slow', state: 'pending', tries: 0 }),
    )
    await Promise.all([hanging.stop(), quick.stop()])
  })

  test('what one process left undelivered the next one delivers, under the same id', async () => {
    const before = await open(new Wire(500).post, hook())
    await before.put([notice()])
    await before.deliverDue()
    await before.close()
    const wire = new Wire()
    const after = await open(wire.post, hook())
    await after.deliverDue()
    expect(wire.ids).toEqual([`${notice().key}.1`])
  })

  test('a notice for a sink that nobody configured is a dead letter, not a silence', async () => {
    const wire = new Wire(500)
    const outbox = await open(wire.post, hook())
    await outbox.put([notice({ sinks: ['hook', 'nobody'] })])
    await outbox.deliverDue()
    await outbox.reconfigure([hook(undefined, 'other')])
    expect((await stored()).map(({ last_error, sink, state }) => ({ last_error, sink, state }))).toEqual([
      { sink: 'hook', state: 'dead', last_error: 'no sink of the configuration has this id' },
      { sink: 'nobody', state: 'dead', last_error: 'no sink of the configuration has this id' },
    ])
    expect(await outbox.retry({ key: notice().key, transition: 1, sink: 'hook' })).toBe('no_such_sink')
  })

  test('a dead letter goes again by hand, unless the sink has heard a later one', async () => {
    const wire = new Wire(400, 400)
    const outbox = await open(wire.post, hook())
    const name = { key: notice().key, transition: 1, sink: 'hook' }
    await outbox.put([notice()])
    await outbox.deliverDue()
    expect(await outbox.retry(name)).toBe('retried')
    expect(await outbox.retry(name)).toBe('not_dead')
    await outbox.deliverDue()
    await outbox.put([notice({ status: 'resolved' })])
    await outbox.deliverDue()
    expect(await outbox.retry(name)).toBe('overtaken')
    expect(await outbox.retry({ ...name, transition: 7 })).toBe('no_such_delivery')
    expect(wire.ids.map((id) => id.at(-1))).toEqual(['1', '1', '2'])
  })

  test('a store that does not answer stops no alert; what was delivered is written when it is back', async () => {
    const wire = new Wire()
    let isAway = false
    const client = new Proxy(engine.writer, {
      get: (target, name, self) =>
        name === 'insert' && isAway
          ? () => Promise.reject(new Error('connection refused'))
          : Reflect.get(target, name, self),
    })
    const outbox = await Outbox.open({
      client,
      sinks: [hook()],
      log: (level, sentence) => logged.push(`${level}: ${sentence}`),
      nowMs: () => nowMs,
      post: wire.post,
    })
    await outbox.put([notice()])
    isAway = true
    await outbox.deliverDue()
    await expect(outbox.put([noticeOf('bravo')])).rejects.toThrow('connection refused')
    expect(wire.sent).toHaveLength(1)
    expect(logged.join()).toContain('cannot be stored, and is kept in memory: connection refused')
    isAway = false
    await outbox.put([notice(), noticeOf('bravo')])
    await outbox.deliverDue()
    expect(wire.ids).toEqual([`${notice().key}.1`, `${noticeOf('bravo').key}.1`])
    await outbox.close()
    expect((await stored()).map(({ state }) => state)).toEqual(['delivered', 'delivered'])
  })

  test('of each alert a sink hears every transition in order, whatever fails and whenever it is killed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('put', 'send', 'kill', 'wait'), { minLength: 1, maxLength: 14 }),
        fc.array(fc.constantFrom(200, 200, 500, 429), { maxLength: 12 }),
        async (steps, answers) => {
          await engine.writer.command({ query: 'TRUNCATE TABLE alert_deliveries' })
          const wire = new Wire(...answers)
          const taken: string[] = []
          const post: Post = async (request, options) => {
            const result = await wire.post(request, options)
            if (result.kind === 'answered' && result.status === 200)
              taken.push(request.headers['webhook-id']!)
            return result
          }
          let outbox = await open(post, hook())
          let transitions = 0
          for (const one of steps) {
            if (one === 'put') {
              transitions++
              const status = transitions % 2 === 1 ? 'firing' : 'resolved'
              await outbox.put(
                ['alpha', 'bravo'].map((c) => noticeOf(c, { status, transition: transitions })),
              )
            }
            if (one === 'send') await outbox.deliverDue()
            if (one === 'wait') nowMs += 5_000
            // Nothing is closed: what it did not store is lost with it.
            if (one === 'kill') outbox = await open(post, hook())
          }
          for (let tries = 0; outbox.sinks[0]!.waiting > 0 && tries < 200; tries++) await step(outbox)
          for (const carrier of ['alpha', 'bravo']) {
            const { key } = noticeOf(carrier)
            const heard = taken.filter((id) => id.startsWith(key) && !id.includes('.r'))
            expect(heard).toEqual(Array.from({ length: transitions }, (_, index) => `${key}.${index + 1}`))
          }
        },
      ),
      { numRuns: 12 },
    )
  }, 120_000)
})

describe('while an alert fires', () => {
  test('Alertmanager is told again every resend interval, before it would forget it, until it is resolved', async () => {
    const wire = new Wire()
    const outbox = await open(wire.post, alertmanager)
    await outbox.put([notice({ sinks: ['am'] })])
    for (let times = 0; times < 4; times++) await step(outbox)
    expect(nowMs - STARTED_US / 1_000).toBe(180_000)
    const ends = wire.sent.map(({ body }) =>
      Date.parse((JSON.parse(body) as { endsAt: string }[])[0]!.endsAt),
    )
    expect(ends.map((endMs) => endMs - STARTED_US / 1_000)).toEqual([180_000, 240_000, 300_000, 360_000])
    await outbox.put([notice({ sinks: ['am'], status: 'resolved' })])
    await outbox.deliverDue()
    const last = JSON.parse(wire.sent.at(-1)!.body) as { endsAt: string }[]
    expect(Date.parse(last[0]!.endsAt)).toBeLessThanOrEqual(nowMs)
    expect(outbox.nextAtMs()).toBe(Number.POSITIVE_INFINITY)
  })

  test('also after a restart, at once when it is time', async () => {
    const before = await open(new Wire().post, alertmanager)
    await before.put([noticeOf('alpha', { sinks: ['am'] }), noticeOf('bravo', { sinks: ['am'] })])
    await before.deliverDue()
    await before.put([noticeOf('bravo', { sinks: ['am'], status: 'resolved' })])
    await before.deliverDue()
    const wire = new Wire()
    nowMs += 59_000
    const after = await open(wire.post, alertmanager)
    await after.deliverDue()
    expect(wire.sent).toEqual([])
    nowMs += 1_000
    await after.deliverDue()
    expect(carriersOf(wire.sent)).toEqual([['alpha']])
  })

  test('a resolved that waits ends the resending of what it resolves', async () => {
    const wire = new Wire(200, 500)
    const outbox = await open(wire.post, alertmanager)
    await outbox.put([notice({ sinks: ['am'] })])
    await outbox.deliverDue()
    await outbox.put([notice({ sinks: ['am'], status: 'resolved' })])
    nowMs += 100_000
    await outbox.deliverDue()
    nowMs += 500
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(2)
  })

  test('alerts go to Alertmanager together; one it refuses is found alone and holds up no other', async () => {
    const wire = new Wire()
    wire.always = ({ body }) => (body.includes('bravo') ? 400 : 200)
    const outbox = await open(wire.post, alertmanager)
    await outbox.put(['alpha', 'bravo', 'charlie'].map((carrier) => noticeOf(carrier, { sinks: ['am'] })))
    await outbox.deliverDue()
    expect(carriersOf(wire.sent)).toEqual([['alpha', 'bravo', 'charlie'], ['alpha'], ['bravo'], ['charlie']])
    expect((await stored()).map(({ state }) => state)).toEqual(['delivered', 'dead', 'delivered'])
    // Only what was taken is told again, and what was refused never.
    await step(outbox)
    expect(carriersOf(wire.sent.slice(4))).toEqual([['alpha', 'charlie']])
  })

  test('a webhook hears of it again every repeat interval, as a message of its own', async () => {
    const wire = new Wire(200, 500)
    const outbox = await open(wire.post, hook())
    await outbox.put([notice()])
    for (let times = 0; times < 4; times++) await step(outbox)
    const { key } = notice()
    expect(wire.ids).toEqual([`${key}.1`, `${key}.1.r1`, `${key}.1.r1`, `${key}.1.r2`])
    expect(nowMs - STARTED_US / 1_000).toBe(8 * 3_600_000)
  })

  test('Slack gets one message for the alerts of a carrier, and about one a second', async () => {
    const wire = new Wire()
    const outbox = await open(wire.post, slack)
    const toSlack = (carrier: string, key: string) =>
      noticeOf(carrier, { key: key.repeat(32), sinks: ['slack'] })
    await outbox.put([toSlack('alpha', 'a'), toSlack('bravo', 'b'), toSlack('alpha', 'c')])
    await outbox.deliverDue()
    expect(wire.sent).toHaveLength(1)
    expect(outbox.nextAtMs()).toBe(nowMs + 1_000)
    await step(outbox)
    const texts = wire.sent.map(({ body }) => (JSON.parse(body) as { text: string }).text)
    expect(texts.map((text) => text.split('FIRING page').length - 1)).toEqual([2, 1])
  })
})

describe('secrets', () => {
  test('neither rows nor log lines hold an address, a key, or a word of what came back', async () => {
    const receiver = await Receiver.start(answer(500, {}, 'echo-of-the-body'))
    const outbox = await open(undefined, hook(`${receiver.url}?token=hidden-in-address`))
    await outbox.put([notice()])
    for (let times = 0; times < 6; times++) await step(outbox)
    const rows = await rowsOf(engine.writer, 'SELECT * FROM alert_deliveries')
    const all = JSON.stringify([rows, logged, outbox.sinks])
    for (const secret of ['hidden-in-address', 'echo-of-the-body', SECRET.slice(6), '/hook'])
      expect(all).not.toContain(secret)
    await receiver.stop()
  })
})
