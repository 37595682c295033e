import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NumberDigests } from '../../../api/audit/number-digests.js'
import type { AuditEntry } from '../../../api/audit/read-audit.js'
import { AuditTrail } from '../../../api/audit/trail.js'
import type { App } from '../../../api/deps.js'
import { AUDIT_ACTIONS } from '../../../schemas/audit.js'
import { ROLES, type Token } from '../../../schemas/tokens.js'
import { routesOf } from '../samples.js'
import { attempt, HOUR, NOON_S, NOON_US, TestStore } from '../support.js'

const KEY = 'k'.repeat(64)
const NUMBER = '+12155550100'
const tokens: Token[] = [
  ...ROLES.map((role) => tokenOf(role, { role })),
  tokenOf('alpha-investigator', { role: 'investigator', carriers: ['alpha'] }),
]
function tokenOf(id: string, more: Partial<Token>): Token {
  return { id, sha256: createHash('sha256').update(id).digest('hex'), role: 'viewer', ...more }
}

let store: TestStore
let trail: AuditTrail
let app: App
/** Inserts fail while it is set. */
let failure: Error | undefined
let id = ''

beforeAll(async () => {
  store = await TestStore.open()
  const call = attempt({ attemptId: 'a1'.repeat(16), callId: 'one@example.com' })
  id = call.attemptId
  await store.add([call])
  await store.addMessages([
    {
      callId: 'one@example.com',
      capturedAtUs: NOON_US,
      raw: `INVITE sip:${NUMBER}@198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=${call.fromTag}\r\nTo: <sip:c@d>\r\nCall-ID: one@example.com\r\nCSeq: 1 INVITE\r\n\r\n`,
    },
  ])
  const client = {
    insert: async (given: Parameters<ClickHouseClient['insert']>[0]) => {
      if (failure !== undefined) throw failure
      return store.engine.writer.insert(given)
    },
  } as unknown as ClickHouseClient
  trail = new AuditTrail({ client, digests: new NumberDigests([KEY]) })
  app = await store.app({ tokens: () => tokens, audit: trail })
})
afterAll(async () => {
  failure = undefined
  await app.close()
  await store.close()
})
beforeEach(async () => {
  failure = undefined
  await trail.flush()
  await store.command('TRUNCATE TABLE audit_trail')
})

const ask = (url: string, who = 'investigator') =>
  app.inject({ url, headers: { authorization: `Bearer ${who}` }, remoteAddress: '192.0.2.9' })

async function stored(): Promise<Record<string, unknown>[]> {
  await trail.flush()
  const result = await store.engine.writer.query({
    query: 'SELECT * FROM audit_trail FINAL ORDER BY at, audit_id',
    format: 'JSONEachRow',
  })
  return result.json()
}

/** Answers that hold no number of anybody, no text from the wire and no document, and why. */
const NOT_AUDITED: Readonly<Record<string, string>> = {
  'GET /healthz': 'says that the process runs',
  'GET /readyz': 'says that the process is ready',
  'GET /metrics': 'counters of the process',
  'GET /openapi.json': 'the description of the API',
  'GET /style.css': 'part of the pages',
  'GET /page.js': 'part of the pages',
  'GET /v1/kpis': 'sums',
  'GET /v1/carriers': 'sums',
  'GET /v1/agents': 'counts of agents',
  'GET /': 'sums',
  'GET /v1/attestation': 'sums',
  'GET /attestation': 'sums',
  'GET /v1/documents': 'names of documents',
  'GET /v1/identity/signers': 'sums, and names of signers',
  'GET /v1/identity/certificates': 'certificates',
  'GET /v1/cancels': 'sums',
  'GET /cancels': 'sums',
  'GET /v1/catalog': 'what numbers mean',
  'GET /v1/early-media': 'sums',
  'GET /v1/fas': 'sums',
  'GET /early-media': 'sums',
  'GET /v1/trunks': 'states and counts of trunks',
  'GET /v1/trunks/:id': 'states and counts of trunks',
  'GET /v1/capacity': 'peaks',
  'GET /trunks': 'states and counts of trunks',
  'GET /v1/destinations': 'sums by prefix',
  'GET /v1/peers': 'sums by prefix',
  'GET /v1/numbers': 'how many numbers the inventory holds',
  'POST /v1/scorecards/schedules/:id/run': 'makes scorecards, and answers with their names',
  'GET /tap': 'counts of agents',
  'GET /v1/slos': 'sums',
  'GET /v1/slos/:id/burn': 'sums',
  'GET /slos': 'sums',
  'GET /scorecards': 'leads to scorecards',
  'GET /v1/alerts': 'sums, and ids of attempts',
  'GET /v1/alerts/:key': 'sums, and ids of attempts',
  'GET /alerts': 'sums, and ids of attempts',
  'GET /alerts/:key': 'sums, and ids of attempts',
  'GET /v1/alerts/deliveries': 'sums, and ids of attempts',
  'POST /v1/alerts/deliveries/:id/retry': 'sends an alert again: sums, and ids of attempts',
}

describe('audit trail', () => {
  it('every route declares what the trail calls it, or says here why it holds nothing of anybody', () => {
    const undeclared = routesOf(app).filter((route) => {
      if (route.includes(' /prom/')) return false // Sums, all of them.
      const declared = app.auditedRoutes.get(route)
      return declared === undefined
        ? !Object.hasOwn(NOT_AUDITED, route)
        : !Object.hasOwn(AUDIT_ACTIONS, declared)
    })
    expect(undeclared).toEqual([])
  })

  it('a search leaves who, when, from where, what and how many: the number masked, and as a digest', async () => {
    await ask(`/v1/attempts?${HOUR}&number=%2B12155550100&carrier=alpha&limit=10`)
    const rows = await stored()
    expect(rows).toEqual([
      {
        at: '2026-11-20 12:59:40.000',
        audit_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        token: 'investigator',
        role: 'investigator',
        carriers: [],
        address: '192.0.2.9',
        action: 'search',
        route: 'GET /v1/attempts',
        status: 200,
        carrier: '',
        attempt_id: '',
        filters: '{"from":"2026-11-20T12:00:00Z","to":"2026-11-20T13:00:00Z","carrier":"alpha","limit":"10"}',
        numbers: ['…00'],
        number_digests: [new NumberDigests([KEY]).of(NUMBER)!.digest],
        key_id: expect.stringMatching(/^[0-9a-f]{8}$/),
        rows: '1',
      },
    ])
  })

  it('what is opened and what is taken away names the attempt, its carrier and how many messages', async () => {
    const urls = [
      `/v1/attempts/${id}`,
      `/v1/attempts/${id}/ladder`,
      `/v1/attempts/${id}/ladder.svg`,
      `/v1/attempts/${id}/pcap`,
      `/v1/attempts/${id}/messages.txt`,
      `/attempts/${id}`,
    ]
    for (const url of urls) expect([url, (await ask(url)).statusCode]).toEqual([url, 200])
    const rows = await stored()
    expect(
      rows.map(({ action, attempt_id, carrier, rows }) => [action, attempt_id, carrier, rows]).sort(),
    ).toEqual(
      ['attempt', 'attempt', 'ladder', 'ladder', 'pcap', 'text'].map((action) => [action, id, 'alpha', '1']),
    )
  })

  it('who is refused stands there as refused, with the number that was wanted; who has no token does not', async () => {
    await ask(`/v1/attempts/${id}/pcap`, 'viewer')
    await ask('/v1/attempts?number=%2B12155550100', 'viewer')
    await ask('/v1/audit', 'alpha-investigator')
    await ask(`/v1/attempts/${id}/pcap`, 'nobody')
    expect(
      (await stored()).map(({ token, action, status, numbers }) => [token, action, status, numbers]),
    ).toEqual(
      expect.arrayContaining([
        ['viewer', 'pcap', 403, []],
        ['viewer', 'search', 403, ['…00']],
        ['alpha-investigator', 'audit', 403, []],
      ]),
    )
    expect(await stored()).toHaveLength(3)
  })

  it('an export is refused when its row cannot be written, and gives no byte of itself', async () => {
    failure = new Error('disk full')
    for (const url of [
      `/v1/attempts/${id}/pcap`,
      `/v1/attempts/${id}/messages.txt`,
      '/v1/scorecards?format=csv',
    ]) {
      const answer = await ask(url)
      expect([url, answer.statusCode]).toEqual([url, 503])
      expect(answer.json()).toMatchObject({ code: 'TRUNKSCOPE_API_AUDIT_UNAVAILABLE', status: 503 })
      expect(answer.headers['content-disposition']).toBeUndefined()
      expect(answer.headers['content-type']).toContain('application/problem+json')
      expect(answer.headers['retry-after']).toBe('5')
      expect(answer.body).not.toMatch(/INVITE|disk full/)
    }
    expect(trail.counts.refusedExports).toBe(3)
    failure = undefined
    expect((await ask(`/v1/attempts/${id}/pcap`)).statusCode).toBe(200)
  })

  it('a look is answered meanwhile, and its row is written when the store takes rows again', async () => {
    failure = new Error('away')
    expect((await ask(`/v1/attempts?${HOUR}`)).statusCode).toBe(200)
    await trail.flush()
    expect(trail.counts.waiting).toBe(1)
    failure = undefined
    expect(await stored()).toHaveLength(1)
    expect(trail.counts.waiting).toBe(0)
  })

  it('rows that wait are bounded: the oldest are lost, and counted', async () => {
    const full = new AuditTrail({
      client: { insert: async () => Promise.reject(new Error('away')) } as unknown as ClickHouseClient,
      digests: new NumberDigests([]),
    })
    const row = exampleRow()
    for (let index = 0; index < 10_003; index++) full.note({ ...row, id: String(index) })
    expect(full.counts).toMatchObject({ waiting: 10_000, lost: 3 })
    await full.close()
  })

  it('/v1/audit tells who searched for a number, whole or by an ending of it, and nothing else', async () => {
    for (const typed of ['%2B12155550100', '0012155550100', '*0100', '*550100', '*0101', '%2B12155550101']) {
      await ask(`/v1/attempts?${HOUR}&number=${typed}`)
    }
    await trail.flush()
    const { entries } = (await ask(`/v1/audit?${HOUR}&number=%2B12155550100`)).json() as {
      entries: AuditEntry[]
    }
    expect(entries.map(({ numbers }) => numbers[0]).sort()).toEqual(['*…', '*…', '…00', '…00'])
    const endings = (await ask(`/v1/audit?${HOUR}&number=*0100&action=search`)).json() as {
      entries: AuditEntry[]
    }
    expect(endings.entries).toHaveLength(1)
  })

  it('pages by a cursor that stays on its range, and asks by token, action and attempt', async () => {
    for (let index = 0; index < 5; index++) await ask(`/v1/attempts?${HOUR}`, index < 2 ? 'viewer' : 'admin')
    await ask(`/v1/attempts/${id}`, 'admin')
    await trail.flush()
    const seen: string[] = []
    let cursor: string | null = ''
    for (let page = 0; cursor !== null && page < 10; page++) {
      const answer = await ask(
        `/v1/audit?${HOUR}&token=admin&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      const body = answer.json() as { entries: AuditEntry[]; next_cursor: string | null }
      seen.push(...body.entries.map(({ action }) => action))
      cursor = body.next_cursor
    }
    expect(seen.sort()).toEqual(['attempt', 'search', 'search', 'search'])
    const ofAttempt = (await ask(`/v1/audit?${HOUR}&attempt=${id}`)).json() as { entries: AuditEntry[] }
    expect(ofAttempt.entries.map(({ token }) => token)).toEqual(['admin'])
    const answer = await ask(`/v1/audit?${HOUR}&token=viewer&cursor=${'x'.repeat(20)}`)
    expect(answer.json()).toMatchObject({ code: 'TRUNKSCOPE_API_BAD_CURSOR' })
  })

  it('no token, number or text of a person stands in a row, whatever is typed into a filter', async () => {
    const typed = encodeURIComponent(`<b>\r\n\u001b[31m +1 215 555 0100 sip:alice@example.com`)
    await ask(`/v1/attempts?${HOUR}&call_id=${typed}&site=2155550100`)
    await ask(`/v1/attempts?${HOUR}&number=${typed}`)
    const text = JSON.stringify(await stored())
    expect(text).not.toMatch(/5550100|555 0100|alice|\\u001b/)
    const page = await ask(`/audit?${HOUR}`)
    expect(page.statusCode).toBe(200)
    expect(page.body).not.toContain('<b>\r')
    expect(page.body).toContain('&lt;b&gt;')
  })

  it('/metrics tells how many rows were written, lost, and what waits', async () => {
    const { body } = await ask('/metrics')
    expect(body).toMatch(/^trunkscope_audit_rows_total [1-9]/m)
    expect(body).toMatch(/^trunkscope_audit_refused_exports_total 3$/m)
    expect(body).toMatch(/^trunkscope_audit_lost_total 0$/m)
  })
})

function exampleRow() {
  return {
    atMs: NOON_S * 1_000,
    id: '',
    token: 'one',
    role: 'viewer',
    carriers: [],
    address: '192.0.2.9',
    action: 'search' as const,
    route: 'GET /v1/attempts',
    status: 200,
    carrier: '',
    attemptId: '',
    filters: {},
    numbers: [],
    numberDigests: [],
    keyId: '',
    rows: 0,
  }
}
