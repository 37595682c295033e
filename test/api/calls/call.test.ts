import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CallLadder } from '../../../api/attempts/call-ladder.js'
import type { CallJson } from '../../../api/calls/call.js'
import type { App } from '../../../api/deps.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { judgeStored } from '../../support/kpi-evidence.js'
import { attempt, CONFIG, ENDED, get, HOUR, NOON_US, TestStore } from '../support.js'

let store: TestStore
let app: App
const us = (seconds: number) => NOON_US + Math.round(seconds * 1e6)

const a = attempt({
  direction: 'inbound',
  party: 'customer',
  carrier: '',
  customer: 'desk',
  invitedAtUs: us(0),
  answeredAtUs: us(7.2),
  finalAtUs: us(7.2),
})
const slow = attempt({ ...ENDED.preRing, invitedAtUs: us(0.1), cancelledAtUs: us(6), finalAtUs: us(6.1) })
const next = attempt({ carrier: 'beta', invitedAtUs: us(6.2), answeredAtUs: us(7.2), finalAtUs: us(7.2) })
const alone = attempt({ invitedAtUs: us(900), callingNumber: '+12155559999', fromNumber: '+12155559999' })

beforeAll(async () => {
  store = await TestStore.open()
  await store.add([a, slow, next, alone])
  await judgeStored(store.engine.writer, CONFIG)
  app = await store.app()
}, 60_000)

afterAll(async () => {
  await app.close()
  await store.close()
})

const callOf = async ({ attemptId }: Attempt) => {
  const { status, body } = await get<{ call: CallJson; attempt: Record<string, unknown> }>(
    app,
    `/v1/attempts/${attemptId}`,
  )
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

describe('the call of an attempt', () => {
  test('has its legs in order, each with its part, its outcome, and how it is known', async () => {
    const { call } = await callOf(slow)
    expect(
      call.legs.map(({ attempt_id, role, disposition, linked_by, confidence }) => [
        attempt_id,
        role,
        disposition,
        linked_by,
        confidence,
      ]),
    ).toEqual([
      [a.attemptId, 'a_leg', 'ANSWERED', 'numbers_time', 0.9],
      [slow.attemptId, 'b_leg', 'PRE_RING_CANCEL', 'numbers_time', 0.9],
      [next.attemptId, 'b_leg', 'ANSWERED', 'numbers_time', 0.9],
    ])
  })

  test('its ladder is over all of these legs, each with its own Call-ID, and over those only that may be seen', async () => {
    const legsOf = async (of: App, headers: Record<string, string> = {}) => {
      const { body } = await of.inject({ url: `/v1/attempts/${slow.attemptId}/ladder`, headers })
      return (JSON.parse(body) as CallLadder).legs.map(({ attempt_id }) => attempt_id)
    }
    expect(new Set([a, slow, next].map(({ callId }) => callId)).size).toBe(3)
    expect(await legsOf(app)).toEqual([a.attemptId, slow.attemptId, next.attemptId])
    const sha256 = createHash('sha256').update('of-alpha').digest('hex')
    const own = await store.app({
      tokens: () => [{ id: 'of-alpha', sha256, role: 'investigator', carriers: ['alpha'] }],
    })
    expect(await legsOf(own, { authorization: 'Bearer of-alpha' })).toEqual([slow.attemptId])
    await own.close()
  })

  test('says who completed what another carrier failed, and how soon', async () => {
    const { call } = await callOf(a)
    expect(call.rescues).toEqual([
      {
        failed_attempt_id: slow.attemptId,
        failed_carrier: 'alpha',
        attempt_id: next.attemptId,
        carrier: 'beta',
        invited_later_ms: 200,
        answered_later_ms: 1_200,
        sentence: 'Alpha Telecom failed (487), rescued by Beta <b>Networks</b> in 1.2 s',
      },
    ])
  })

  test('says what other legs say of this one, and the record is as it is judged', async () => {
    const { call, attempt: record } = await callOf(slow)
    expect(record).toMatchObject({
      cancel_class: 'ROUTE_ADVANCE',
      disposition: 'PRE_RING_CANCEL',
      sli: 'bad',
    })
    expect(call.verdict).toMatchObject({
      rule: 'route_advanced',
      later_ms: 200,
      other_attempt_id: next.attemptId,
      fold: { cancel_class: 'PRE_RING_CANCEL' },
    })
    expect(call.verdict?.because).toContain('got the INVITE 0.200 s after the CANCEL')
  })

  test('is the attempt itself where no other leg is known', async () => {
    expect((await callOf(alone)).call).toMatchObject({
      call_key: null,
      legs: [{ attempt_id: alone.attemptId, linked_by: null, confidence: 1 }],
      rescues: [],
      verdict: null,
    })
  })

  test('names no other carrier to a token of one', async () => {
    const sha256 = createHash('sha256').update('of-alpha').digest('hex')
    const own = await store.app({
      tokens: () => [{ id: 'of-alpha', sha256, role: 'investigator', carriers: ['alpha'] }],
    })
    const { body, statusCode } = await own.inject({
      url: `/v1/attempts/${slow.attemptId}`,
      headers: { authorization: 'Bearer of-alpha' },
    })
    await own.close()
    expect(statusCode).toBe(200)
    expect(body).not.toMatch(/beta/i)
    const { call } = JSON.parse(body) as { call: CallJson }
    expect(call.legs.map(({ attempt_id }) => attempt_id)).toEqual([slow.attemptId])
    expect(call.rescues).toEqual([])
    expect(call.verdict).toMatchObject({ other_attempt_id: null })
    expect(call.verdict?.because).toContain('another carrier got the INVITE')
  })

  test('stands on the page of the attempt, with names escaped', async () => {
    const page = await app.inject({ url: `/attempts/${slow.attemptId}` })
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('rescued by Beta &lt;b&gt;Networks&lt;/b&gt; in 1.2 s')
    expect(page.body).toContain(`href="/attempts/${next.attemptId}"`)
  })
})

describe('what is read as it is judged', () => {
  test('a search by class finds by the verdict, and no longer by what the leg alone would be', async () => {
    const found = async (filter: string) => {
      const { body } = await get<{ attempts: { attempt_id: string }[] }>(
        app,
        `/v1/attempts?${HOUR}&${filter}`,
      )
      return body.attempts.map(({ attempt_id }) => attempt_id)
    }
    expect(await found('cancel_class=ROUTE_ADVANCE')).toEqual([slow.attemptId])
    expect(await found('cancel_class=PRE_RING_CANCEL')).toEqual([])
  })

  test('exact numbers and those of the rollups are the same', async () => {
    const numbers = async (more: string) => {
      const { body } = await get<{ groups: { by: { carrier: string }; cancels: unknown }[] }>(
        app,
        `/v1/kpis?${HOUR}${more}`,
      )
      return JSON.stringify(body).match(/"ROUTE_ADVANCE":\d+/g)
    }
    expect(await numbers('&exact=true')).toEqual(await numbers(''))
    expect(await numbers('')).not.toBeNull()
  })
})
