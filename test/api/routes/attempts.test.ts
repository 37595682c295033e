import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AttemptJson } from '../../../api/attempts/attempt-json.js'
import type { MessageJson } from '../../../api/attempts/messages.js'
import type { App } from '../../../api/deps.js'
import { ATTEMPT_COLUMNS } from '../../../schemas/call-attempts.js'
import { attempt, ENDED, get, HOUR, NOON_US, type StoredMessage, TestStore } from '../support.js'

let store: TestStore
let app: App

interface List {
  attempts: AttemptJson[]
  next_cursor: string | null
}

interface One {
  attempt: AttemptJson
  messages: MessageJson[]
  messages_cut: boolean
}

/** Ten in each of six minutes, four of a minute with the very same microsecond. */
const many = Array.from({ length: 60 }, (_, index) =>
  attempt({
    carrier: 'beta',
    invitedAtUs: NOON_US + Math.floor(index / 10) * 60e6 + (index % 10 < 4 ? 5 : index % 10) * 1_000,
    ...(index % 6 === 0 ? ENDED.preRing : {}),
  }),
)

const call = attempt({
  callId: 'shared@example.com',
  fromTag: 'caller',
  invitedAtUs: NOON_US,
  identities: [
    {
      form: 'full',
      ppt: 'shaken',
      attest: 'A',
      orig: '12155550101',
      dest: ['12155550100'],
      iatS: 1_795_175_999,
      x5u: 'https://cert.example/a.pem',
      origId: 'x',
      tokenHash: '',
      div: '',
      problem: '',
    },
  ],
})
const otherLeg = attempt({
  callId: 'shared@example.com',
  fromTag: 'caller',
  party: 'customer',
  carrier: '',
  customer: 'contact-centre',
  addressHigh: '10.20.0.9',
  farAddress: '10.20.0.9',
  invitedAtUs: NOON_US - 5_000,
})

const line = (start: string, cseq: string, from = 'caller', to = '') =>
  `${start}\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=${from}\r\n` +
  `To: <sip:b@y>${to === '' ? '' : `;tag=${to}`}\r\nCall-ID: shared@example.com\r\nCSeq: ${cseq}\r\n\r\n`
const out = { source: '192.0.2.11', destination: '198.51.100.10' }
const back = { source: '198.51.100.10', destination: '192.0.2.11' }
const message = (atMs: number, raw: string, ends: Partial<StoredMessage>): StoredMessage => ({
  callId: 'shared@example.com',
  capturedAtUs: NOON_US + atMs * 1_000,
  raw,
  ...ends,
})

beforeAll(async () => {
  store = await TestStore.open()
  await store.add([...many, call, otherLeg])
  await store.addMessages([
    // All of one microsecond, stored in the wrong order.
    message(500, line('ACK sip:b@y SIP/2.0', '1 ACK', 'caller', 'callee'), out),
    message(500, line('SIP/2.0 200 OK', '1 INVITE', 'caller', 'callee'), back),
    message(500, line('SIP/2.0 180 Ringing', '1 INVITE', 'caller', 'callee'), back),
    message(500, line('SIP/2.0 100 Trying', '1 INVITE'), back),
    message(500, line('INVITE sip:b@y SIP/2.0', '1 INVITE'), out),
    // The callee hangs up: the tags change places.
    message(9_000, line('BYE sip:a@x SIP/2.0', '7 BYE', 'callee', 'caller'), back),
    message(9_000.5, 'SIP/2.0 200 \xdcber\r\nthis is no header', out),
    // Another attempt of the same Call-ID on the same leg, and the other leg.
    message(100, line('INVITE sip:b@y SIP/2.0', '1 INVITE', 'somebody-else'), out),
    message(400, line('INVITE sip:b@y SIP/2.0', '1 INVITE'), {
      source: '10.20.0.9',
      destination: '192.0.2.11',
    }),
  ])
  app = await store.app()
})
afterAll(async () => {
  await app.close()
  await store.close()
})

describe('GET /v1/attempts', () => {
  it('pages through all of them once, newest first, while others arrive', async () => {
    const seen: string[] = []
    let cursor = ''
    for (let pages = 0; pages < 20; pages++) {
      const { body } = await get<List>(
        app,
        `/v1/attempts?${HOUR}&carrier=beta&limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      expect(body.attempts.length).toBeLessThanOrEqual(7)
      seen.push(...body.attempts.map(({ attempt_id }) => attempt_id))
      await store.add([attempt({ carrier: 'beta', invitedAtUs: NOON_US + 900e6 + pages })])
      if (body.next_cursor === null) break
      cursor = body.next_cursor
    }
    const expected = [...many]
      .sort(
        (a, b) =>
          b.minuteS - a.minuteS || b.invitedAtUs - a.invitedAtUs || (a.attemptId < b.attemptId ? 1 : -1),
      )
      .map(({ attemptId }) => attemptId)
    expect(seen).toEqual(expected)
  })

  it('filters by what an attempt became', async () => {
    const { body } = await get<List>(
      app,
      `/v1/attempts?${HOUR}&carrier=beta&disposition=PRE_RING_CANCEL&final_code=487,486&limit=500`,
    )
    expect(body.attempts).toHaveLength(10)
    expect(new Set(body.attempts.map(({ final_code }) => final_code))).toEqual(new Set([487]))
  })

  it('takes bounds to the microsecond', async () => {
    const at = (us: number) => `2026-11-20T12:00:00.${String(us).padStart(6, '0')}Z`
    const { body } = await get<List>(app, `/v1/attempts?carrier=beta&from=${at(5_000)}&to=${at(6_001)}`)
    expect(body.attempts.map(({ invited_at_us }) => invited_at_us - NOON_US)).toEqual([
      6_000, 5_000, 5_000, 5_000, 5_000, 5_000,
    ])
  })

  it('leaves customers out, unless they are asked for', async () => {
    const customers = async (query: string) =>
      (
        await get<List>(
          app,
          `/v1/attempts?from=2026-11-20T11:00:00Z&to=2026-11-20T13:00:00Z&limit=500${query}`,
        )
      ).body.attempts.filter(({ party }) => party === 'customer').length
    expect(await customers('')).toBe(0)
    expect(await customers('&party=customer')).toBe(1)
  })

  it('gives every leg of a Call-ID', async () => {
    const { body } = await get<List>(app, '/v1/attempts?call_id=shared%40example.com')
    expect(body.attempts.map(({ party }) => party)).toEqual(['carrier', 'customer'])
    expect((await get<List>(app, '/v1/attempts?call_id=nobody')).body).toEqual({
      attempts: [],
      next_cursor: null,
    })
  })

  it.each([
    ['limit=0', /from 1 to 500/],
    ['limit=501', /from 1 to 500/],
    ['cursor=abc', /next_cursor/],
    ['disposition=ANSWERD', /did you mean ANSWERED/],
    ['final_code=abc', /final_code=487/],
    ['call_id=', /call_id is empty/],
    ['id=1', /id is not a parameter/],
  ])('%s: 400', async (query, sentence) => {
    const { status, body } = await get<{ detail: string }>(app, `/v1/attempts?${query}`)
    expect(status).toBe(400)
    expect(body.detail).toMatch(sentence)
  })
})

describe('GET /v1/attempts/{id}', () => {
  it('gives the record under the names of the columns, times also as texts', async () => {
    const { body } = await get<One>(app, `/v1/attempts/${call.attemptId}`)
    const names = Object.keys(body.attempt)
    for (const { name } of ATTEMPT_COLUMNS) {
      if (!['facts', 'is_deleted', 'pdd_bucket'].includes(name)) expect(names).toContain(name)
    }
    expect(names).not.toContain('facts')
    expect(body.attempt).toMatchObject({
      attempt_id: call.attemptId,
      carrier: 'alpha',
      invited_at_us: NOON_US,
      invited_at: '2026-11-20T12:00:00.000000Z',
      minute: '2026-11-20T12:00:00Z',
      end_minute: null,
      bye_at_us: 0,
      bye_at: null,
      pdd_ms: 300,
      media_delay_ms: null,
      rang: true,
      version: 1,
    })
    expect(body.attempt.identities).toEqual([expect.objectContaining({ attest: 'A', iat_s: 1_795_175_999 })])
    const withFacts = await get<{ attempt: { facts: unknown } }>(
      app,
      `/v1/attempts/${call.attemptId}?facts=true`,
    )
    expect(withFacts.body.attempt.facts).toEqual({ fact: 1 })
  })

  it('gives its messages in order: INVITE before 1xx before final before ACK of the same microsecond', async () => {
    const { body } = await get<One>(app, `/v1/attempts/${call.attemptId.toUpperCase()}`)
    expect(body.messages.map(({ start_line }) => start_line)).toEqual([
      'INVITE sip:b@y SIP/2.0',
      'SIP/2.0 100 Trying',
      'SIP/2.0 180 Ringing',
      'SIP/2.0 200 OK',
      'ACK sip:b@y SIP/2.0',
      'BYE sip:a@x SIP/2.0',
      'SIP/2.0 200 Über',
    ])
    expect(body.messages.map(({ offset_ms }) => offset_ms)).toEqual([0, 0, 0, 0, 0, 8_500, 8_500.5])
    expect(body.messages[6]!.parse_error).not.toBe('')
    expect(body.messages[0]).toMatchObject({
      captured_at: '2026-11-20T12:00:00.500000Z',
      source: { address: '192.0.2.11', port: 5060 },
      method: 'INVITE',
      cseq_number: 1,
      cseq_method: 'INVITE',
    })
    expect(body.messages[0]!.raw).toContain('\r\nCall-ID: shared@example.com\r\n')
    expect(body.messages_cut).toBe(false)
  })

  it('one that is not there is 404, and so is what is no id', async () => {
    for (const [id, sentence] of [
      ['f'.repeat(32), /retention/],
      ['shared@example.com', /call_id=/],
    ] as const) {
      const { status, body } = await get<{ detail: string }>(app, `/v1/attempts/${id}`)
      expect(status).toBe(404)
      expect(body.detail).toMatch(sentence)
    }
  })

  it('a row that moved to another minute is found once', async () => {
    const moved = attempt({ invitedAtUs: NOON_US + 1_200e6 })
    await store.add([moved])
    await store.command(
      `INSERT INTO call_attempts SELECT * REPLACE (3 AS version, 1 AS is_deleted) FROM call_attempts WHERE attempt_id = unhex('${moved.attemptId}')`,
    )
    await store.add([{ ...moved, minuteS: moved.minuteS - 60, finalCode: 299 }], 2)
    const { body } = await get<One>(app, `/v1/attempts/${moved.attemptId}`)
    expect(body.attempt.final_code).toBe(299)
  })
})
