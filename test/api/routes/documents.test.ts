import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../api/deps.js'
import { SCORECARD_CSP } from '../../../api/page/scorecard-parts.js'
import { Readers } from '../../../api/readers.js'
import { type Scheduling, startScheduling } from '../../../api/scorecards/scheduling.js'
import { configSchema } from '../../../schemas/config.js'
import type { Token } from '../../../schemas/tokens.js'
import { attempt, ENDED, get, liveStatus, NOON_US, TestStore } from '../support.js'

const CONFIG = configSchema.parse({
  carriers: [
    { id: 'alpha', name: 'Alpha Telecom', peers: ['198.51.100.10/32'] },
    { id: 'beta', name: 'Beta <b>Networks</b>', peers: ['198.51.100.20/32'] },
  ],
  scorecards: { schedules: [{ id: 'weekly', cron: '0 6 * * 1', formats: ['html', 'csv', 'json'] }] },
})
/** Monday of 2026-W48. */
const NOW_MS = Date.parse('2026-11-23T06:00:07Z')

interface Listed {
  id: string
  carrier: string | null
  format: string
  sha256: string
  file_name: string
  size_bytes: number
}

let store: TestStore
let app: App
let scheduling: Scheduling
let documents: Listed[]
const hash = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
const tokens: Token[] = [
  { id: 'operator', sha256: hash('operator'), role: 'admin' },
  { id: 'alpha', sha256: hash('of-alpha'), role: 'viewer', carriers: ['alpha'] },
]
const ask = (url: string, token = 'operator', method: 'GET' | 'POST' = 'GET') =>
  app.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
const listed = async (query = '', token = 'operator') =>
  ((await ask(`/v1/documents${query}`, token)).json() as { documents: Listed[] }).documents

beforeAll(async () => {
  store = await TestStore.open()
  await store.add(Array.from({ length: 120 }, (_, at) => attempt({ invitedAtUs: NOON_US + at * 1e6 })))
  await store.add([attempt({ carrier: 'beta', farAddress: '198.51.100.20' })])
  const live = () => liveStatus({ asOfUs: NOW_MS * 1_000 })
  scheduling = startScheduling({
    client: store.engine.writer,
    owner: 'alone',
    deps: {
      readers: new Readers(store.engine.readers),
      config: CONFIG,
      live,
      tokens: undefined,
      demo: false,
      metrics: async () => '',
      nowUs: () => NOW_MS * 1_000,
    },
    outbox: { put: async () => {} },
    log: () => {},
  })
  app = await store.app({ config: CONFIG, tokens: () => tokens, live, scheduling, nowMs: () => NOW_MS })
  const run = await ask('/v1/scorecards/schedules/weekly/run', 'operator', 'POST')
  expect(run.statusCode).toBe(200)
  expect(run.json()).toMatchObject({ schedule: 'weekly', fired_at: '2026-11-23T06:00:07Z', outcome: 'done' })
  documents = (run.json() as { documents: Listed[] }).documents
})
afterAll(async () => {
  await scheduling.stop()
  await app.close()
  await store.close()
})

describe('stored documents', () => {
  test('are listed by carrier, week, schedule and format', async () => {
    expect(documents).toHaveLength(9)
    expect(await listed()).toEqual(documents)
    expect((await listed('?carrier=alpha&format=csv')).map(({ file_name }) => file_name)).toEqual([
      'scorecard-2026-W47-alpha.csv',
    ])
    expect(await listed('?week=2026-W47&limit=2')).toHaveLength(2)
    expect(await listed('?schedule=other')).toEqual([])
    const wrong = await ask('/v1/documents?format=doc')
    expect([wrong.statusCode, (wrong.json() as { code: string }).code]).toEqual([
      400,
      'TRUNKSCOPE_API_BAD_VALUE',
    ])
  })

  test('are fetched as they were made, whatever has become of the calls since', async () => {
    const before = await Promise.all(documents.map(({ id }) => ask(`/v1/documents/${id}`)))
    await store.add(
      Array.from({ length: 60 }, (_, at) =>
        attempt({ ...ENDED.congestion, invitedAtUs: NOON_US + at * 1e6 }),
      ),
    )
    for (const [index, { id, sha256, size_bytes }] of documents.entries()) {
      const { rawPayload, headers } = await ask(`/v1/documents/${id}`)
      expect(hash(rawPayload)).toBe(sha256)
      expect(rawPayload).toHaveLength(size_bytes)
      expect(rawPayload).toEqual(before[index]!.rawPayload)
      expect(headers.etag).toBe(`"${sha256}"`)
    }
    const now = await ask('/v1/carriers/alpha/scorecard?week=2026-W47&format=csv')
    const [csv] = await listed('?carrier=alpha&format=csv')
    expect((await ask(`/v1/documents/${csv!.id}`)).body).not.toBe(now.body)
  })

  test('go out with headers that let nothing run and nothing be guessed', async () => {
    const headersOf = async (format: string) => {
      const [document] = await listed(`?carrier=beta&format=${format}`)
      return (await ask(`/v1/documents/${document!.id}`)).headers
    }
    expect(await headersOf('html')).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `${SCORECARD_CSP}; frame-ancestors 'none'`,
      'content-disposition': 'inline; filename="scorecard-2026-W47-beta.html"',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    expect(await headersOf('csv')).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="scorecard-2026-W47-beta.csv"',
    })
    expect(await headersOf('json')).toMatchObject({ 'content-type': 'application/json; charset=utf-8' })
  })

  test('of others do not exist for a token of some carriers, and nor does the one of all side by side', async () => {
    expect((await listed('', 'of-alpha')).map(({ carrier }) => carrier)).toEqual(['alpha', 'alpha', 'alpha'])
    for (const { id, carrier } of documents) {
      const { statusCode, body } = await ask(`/v1/documents/${id}`, 'of-alpha')
      expect(statusCode).toBe(carrier === 'alpha' ? 200 : 404)
      expect(body).not.toContain('Beta')
      // About all agents together: in no document that a carrier may read.
      if (statusCode === 200 && body.startsWith('{')) expect(JSON.parse(body)).toMatchObject({ tap: null })
    }
  })

  test('hold no telephone number: a viewer reads them', async () => {
    for (const { id } of documents) {
      expect((await ask(`/v1/documents/${id}`)).body).not.toMatch(/2155550100|2155550101/)
    }
  })

  test('one that is none is told as such', async () => {
    for (const id of ['f'.repeat(32), 'nonsense', '%2e%2e%2fetc']) {
      expect((await ask(`/v1/documents/${id}`)).statusCode).toBe(404)
    }
  })

  test('stand on the page of scorecards with a link; for a token of alpha those of alpha', async () => {
    const page = (await ask('/scorecards?week=2026-W47')).body
    expect(page).toContain('Stored')
    expect(page).toContain('Beta &lt;b&gt;Networks&lt;/b&gt;')
    for (const { id } of documents) expect(page).toContain(`href="/v1/documents/${id}"`)
    const ofAlpha = (await ask('/scorecards?week=2026-W47', 'of-alpha')).body
    for (const { id, carrier } of documents) {
      expect(ofAlpha.includes(`/v1/documents/${id}`)).toBe(carrier === 'alpha')
    }
    expect((await ask('/scorecards?week=2026-W46')).body).toContain('No schedule has made one of this week.')
    expect((await ask('/scorecards?week=2026-W46', 'of-alpha')).body).not.toContain('Stored')
  })
})

describe('a schedule by hand', () => {
  test('one that does not exist is told with what was meant', async () => {
    const { statusCode, body } = await ask('/v1/scorecards/schedules/wekly/run', 'operator', 'POST')
    expect(statusCode).toBe(404)
    expect(body).toContain('did you mean weekly?')
  })

  test('one at a time', async () => {
    const url = '/v1/scorecards/schedules/weekly/run'
    const both = await Promise.all([ask(url, 'operator', 'POST'), ask(url, 'operator', 'POST')])
    expect(both.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409])
  })

  test('a process that makes none says so', async () => {
    const other = await store.app({ config: CONFIG })
    const { statusCode } = await other.inject({ method: 'POST', url: '/v1/scorecards/schedules/weekly/run' })
    expect(statusCode).toBe(409)
    expect((await get(other, '/v1/documents')).status).toBe(200)
    await other.close()
  })

  test('stands in the metrics', async () => {
    const text = await scheduling.metrics()
    expect(text).toContain('trunkscope_scorecards_runs_total{result="done"} 2')
    expect(text).toContain('trunkscope_scorecards_documents_total{format="html"} 3')
    expect(text).toContain(`trunkscope_scorecards_done_timestamp_seconds ${NOW_MS / 1_000}`)
    expect(text).toContain(
      `trunkscope_scorecards_next_timestamp_seconds{schedule="weekly"} ${Date.parse('2026-11-30T06:00:00Z') / 1_000}`,
    )
  })
})
