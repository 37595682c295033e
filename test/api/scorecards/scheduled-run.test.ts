/**
 * Schedules travelled through with a clock of their own, over a real store: what is due, what was missed, who makes it, and
 * what a process that died leaves behind.
 */
import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Outbox } from '../../../api/alerts/outbox.js'
import type { RouteDeps } from '../../../api/deps.js'
import { ApiError } from '../../../api/errors.js'
import { Readers } from '../../../api/readers.js'
import { readBody } from '../../../api/scorecards/documents.js'
import type { PrintPdf } from '../../../api/scorecards/make-documents.js'
import { TURN_MS } from '../../../api/scorecards/run-store.js'
import { ScheduledScorecards } from '../../../api/scorecards/scheduled-run.js'
import type { Notice, ScorecardNotice } from '../../../schemas/alert-hook.js'
import { configSchema } from '../../../schemas/config.js'
import { rowsOf } from '../../support/engine.js'
import { attempt, liveStatus, NOON_US, TestStore } from '../support.js'

const MINUTE_MS = 60_000
const MONDAY_MS = Date.parse('2026-11-23T05:00:00Z')
const WEEKLY = { id: 'weekly', cron: '0 6 * * 1', time_zone: 'Europe/Berlin', sinks: ['desk'] }

let store: TestStore
let nowMs: number
let told: ScorecardNotice[]
let log: string[]
const deliveries: string[] = []
const outbox = {
  put: async (notices: readonly Notice[]) => void told.push(...(notices as ScorecardNotice[])),
}

beforeAll(async () => {
  store = await TestStore.open()
  await store.add(Array.from({ length: 150 }, (_, at) => attempt({ invitedAtUs: NOON_US + at * 1e6 })))
  await store.add([attempt({ carrier: 'beta', farAddress: '198.51.100.20' })])
})
afterAll(() => store.close())
beforeEach(() => {
  // Thursday before: nothing is due.
  nowMs = Date.parse('2026-11-19T12:00:00Z')
  told = []
  log = []
})
afterEach(async () => {
  for (const table of ['documents', 'document_runs', 'alert_deliveries']) {
    await store.command(`TRUNCATE TABLE ${table}`)
  }
  deliveries.length = 0
})

function configOf(schedules: unknown[] = [WEEKLY]) {
  return configSchema.parse({
    carriers: [
      { id: 'alpha', name: 'Alpha Telecom', peers: ['198.51.100.10/32'] },
      { id: 'beta', peers: ['198.51.100.20/32'] },
    ],
    alerts: { page_url: 'https://trunkscope.example/' },
    scorecards: { schedules },
  })
}

interface Process {
  schedules?: unknown[]
  owner?: string
  client?: ClickHouseClient
  outbox?: { put(notices: readonly Notice[]): Promise<void> }
  print?: PrintPdf
}

function start({ schedules, owner = 'alone', ...others }: Process = {}): ScheduledScorecards {
  const deps: RouteDeps = {
    readers: new Readers(store.engine.readers),
    config: configOf(schedules),
    live: () => liveStatus({ asOfUs: Math.min(nowMs, MONDAY_MS) * 1_000 }),
    tokens: undefined,
    demo: false,
    metrics: async () => '',
    nowUs: () => nowMs * 1_000,
  }
  return new ScheduledScorecards({
    client: store.engine.writer,
    owner,
    deps,
    outbox,
    log: (_level, sentence) => log.push(sentence),
    ...others,
  })
}

const stored = () =>
  rowsOf<{
    document_id: string
    carrier: string
    week: string
    format: string
    sha256: string
    fired_at: string
  }>(
    store.engine.writer,
    'SELECT document_id, carrier, week, format, sha256, fired_at FROM documents FINAL ORDER BY fired_at, carrier, format',
  )

/** A client that dies at the n-th insert into this table, before or after it is stored, and writes nothing any more. */
function dyingAt(table: string, when: 'before' | 'after', number = 1): ClickHouseClient {
  let inserts = 0
  let isDead = false
  return new Proxy(store.engine.writer, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown
      if (name !== 'insert') return typeof value === 'function' ? value.bind(target) : value
      return async (options: { table: string }) => {
        const dies = options.table === table && ++inserts === number
        if (isDead || (dies && when === 'before')) {
          isDead = true
          throw new Error('killed')
        }
        isDead ||= dies
        const result = await target.insert(options as Parameters<ClickHouseClient['insert']>[0])
        if (dies) throw new Error('killed')
        return result
      }
    },
  })
}

describe('a schedule over time', () => {
  test('makes the week that is over when it fires, once, for each carrier and for all side by side', async () => {
    const process = start()
    await process.runDue()
    expect(await stored()).toEqual([])
    nowMs = MONDAY_MS - 1
    await process.runDue()
    expect(await stored()).toEqual([])
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    expect((await stored()).map(({ carrier, week, format }) => [carrier, week, format])).toEqual([
      ['', '2026-W47', 'html'],
      ['alpha', '2026-W47', 'html'],
      ['beta', '2026-W47', 'html'],
    ])
    expect(told.map(({ labels }) => labels.carrier)).toEqual(['alpha', 'beta', undefined])
    nowMs += 3_600_000
    await process.runDue()
    await start().runDue()
    expect(told).toHaveLength(3)
  })

  test('what is told holds grade, numbers with intervals, a link and the hash of what is stored', async () => {
    const process = start()
    await process.runDue()
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    const [alpha] = told
    expect(alpha).toMatchObject({
      kind: 'scorecard',
      status: 'made',
      rule: 'weekly',
      sinks: ['desk'],
      labels: { carrier: 'alpha', week: '2026-W47', schedule: 'weekly' },
      headline: {
        carrier: { id: 'alpha', grade: expect.stringMatching(/^[A-F]$/) },
        week: { is_complete: true },
      },
    })
    expect(alpha!.annotations.summary).toMatch(
      /^Alpha Telecom, 2026-W47: grade [A-F], low confidence; Attempts 150; /,
    )
    const ner = alpha!.headline.rows.find(({ id }) => id === 'ner')!
    expect(ner.interval).toHaveLength(2)
    const [document] = alpha!.documents
    expect(document!.link).toBe(`https://trunkscope.example/v1/documents/${document!.id}`)
    const body = await readBody(store.engine.writer, document!.id)
    expect(createHash('sha256').update(body!).digest('hex')).toBe(document!.sha256)
    expect(body!.length).toBe(document!.size_bytes)
    expect(body!.toString()).toContain('Alpha Telecom, 2026-W47')
    expect(told[2]!.headline.carriers.map(({ id, grade }) => [id, grade])).toEqual([
      ['alpha', alpha!.headline.carrier!.grade],
      ['beta', 'NR'],
    ])
  })

  test('keeps to the clocks of its zone over the end of daylight saving', async () => {
    nowMs = Date.parse('2026-10-17T00:00:00Z')
    const process = start()
    for (; nowMs < Date.parse('2026-11-03T00:00:00Z'); nowMs += 30 * MINUTE_MS) await process.runDue()
    const firings = [...new Set((await stored()).map(({ fired_at, week }) => `${fired_at} ${week}`))]
    expect(firings).toEqual([
      '2026-10-19 04:00:00 2026-W42',
      '2026-10-26 05:00:00 2026-W43',
      '2026-11-02 05:00:00 2026-W44',
    ])
  })

  test('an hour that comes twice makes one run, an hour that is skipped one too', async () => {
    const nightly = { ...WEEKLY, cron: '30 2 * * *', carriers: ['alpha'], side_by_side: false }
    nowMs = Date.parse('2026-10-24T12:00:00Z')
    const process = start({ schedules: [nightly] })
    for (; nowMs < Date.parse('2026-10-25T06:00:00Z'); nowMs += 10 * MINUTE_MS) await process.runDue()
    expect((await stored()).map(({ fired_at }) => fired_at)).toEqual(['2026-10-25 00:30:00'])
    await store.command('TRUNCATE TABLE documents')
    nowMs = Date.parse('2026-03-28T12:00:00Z')
    const spring = start({ schedules: [{ ...nightly, id: 'spring' }] })
    for (; nowMs < Date.parse('2026-03-29T06:00:00Z'); nowMs += 10 * MINUTE_MS) await spring.runDue()
    expect((await stored()).map(({ fired_at }) => fired_at)).toEqual(['2026-03-29 01:00:00'])
  })

  test('a schedule that is new makes up for nothing, and one with another cron is new', async () => {
    nowMs = MONDAY_MS + 3_600_000
    await start().runDue()
    expect(await stored()).toEqual([])
    nowMs = Date.parse('2026-11-25T12:00:00Z')
    await start({ schedules: [{ ...WEEKLY, cron: '0 6 * * 2' }] }).runDue()
    expect(await stored()).toEqual([])
  })

  test('after an outage the latest firing is made up for, and that others were missed is said', async () => {
    await start().runDue()
    nowMs = Date.parse('2026-12-09T12:00:00Z')
    await start().runDue()
    expect([...new Set((await stored()).map(({ week }) => week))]).toEqual(['2026-W49'])
    expect(log[0]).toBe(
      'scorecards of schedule weekly: the firing of 2026-12-07T05:00:00Z is made up for; ' +
        '2 before it were missed and are not made',
    )
    expect(told.every(({ headline }) => !headline.week.is_complete)).toBe(true)
    expect(told[0]!.annotations.summary).toContain('(the week is not complete)')
  })

  test('by hand it fires at once, whatever its cron says', async () => {
    nowMs = Date.parse('2026-11-25T12:00:00Z')
    const process = start()
    const { outcome, firedAtMs } = await process.runNow(configOf().scorecards.schedules[0]!)
    expect([outcome, firedAtMs]).toEqual(['done', nowMs])
    expect(await stored()).toHaveLength(3)
  })

  test('a firing that failed is made up for though somebody fired it by hand in between', async () => {
    await start().runDue()
    nowMs = MONDAY_MS + 5_000
    await start({ client: dyingAt('documents', 'before') }).runDue()
    nowMs = MONDAY_MS + 5 * 3_600_000
    await start({ owner: 'by hand' }).runNow(configOf().scorecards.schedules[0]!)
    let failures = 0
    const restarted = start({
      owner: 'restarted',
      client: new Proxy(store.engine.writer, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown
          if (name !== 'insert' || failures++ > 0)
            return typeof value === 'function' ? value.bind(target) : value
          return () => Promise.reject(new Error('the store is away'))
        },
      }),
    })
    nowMs += 3_600_000
    await restarted.runDue()
    const firings = async () => [...new Set((await stored()).map(({ fired_at }) => fired_at))]
    expect(await firings()).toEqual(['2026-11-23 10:00:00'])
    nowMs += 24 * 3_600_000
    await restarted.runDue()
    expect(await firings()).toEqual(['2026-11-23 05:00:00', '2026-11-23 10:00:00'])
  })
})

describe('two processes over the same tables', () => {
  test('make a run once, and tell of the same documents', async () => {
    const [one, other] = [start({ owner: 'one' }), start({ owner: 'other' })]
    await Promise.all([one.runDue(), other.runDue()])
    nowMs = MONDAY_MS + 5_000
    await Promise.all([one.runDue(), other.runDue()])
    expect([one.status.runs.done, other.status.runs.done].sort()).toEqual([0, 1])
    expect(told).toHaveLength(3)
    await Promise.all([one.runDue(), other.runDue()])
    expect(told).toHaveLength(3)
  })

  test('what one began and left the other finishes after its turn, under the same ids', async () => {
    const dying = start({ owner: 'one', client: dyingAt('documents', 'before', 2) })
    await dying.runDue()
    nowMs = MONDAY_MS + 5_000
    await dying.runDue()
    dying.stop()
    const other = start({ owner: 'other' })
    await other.runDue()
    expect(other.status.runs.done).toBe(0)
    nowMs += TURN_MS + 1
    await other.runDue()
    expect(other.status.runs.done).toBe(1)
    const keys = told.map(({ key }) => key)
    expect(new Set(keys).size).toBe(3)
  })

  test('of two that made the same the first stands, and both tell of it', async () => {
    const [one, other] = [start({ owner: 'one' }), start({ owner: 'other' })]
    await one.runDue()
    nowMs = MONDAY_MS + 5_000
    await one.runDue()
    const first = told.splice(0)
    // The claim is gone: as if it had been thought dead.
    await store.command('TRUNCATE TABLE document_runs')
    nowMs = MONDAY_MS - 3_600_000
    await other.runDue()
    nowMs = MONDAY_MS + 600_000
    await other.runDue()
    expect(told.map(({ key, documents, madeAtUs }) => ({ key, documents, madeAtUs }))).toEqual(
      first.map(({ key, documents, madeAtUs }) => ({ key, documents, madeAtUs })),
    )
  })
})

describe('a process that is killed', () => {
  const STEPS: [string, 'before' | 'after', number][] = [
    ['document_runs', 'before', 1],
    ['document_runs', 'after', 1],
    ['document_runs', 'before', 2],
    ['document_runs', 'after', 2],
    ['documents', 'before', 1],
    ['documents', 'after', 1],
    ['documents', 'after', 2],
    ['alert_deliveries', 'before', 1],
    ['alert_deliveries', 'after', 1],
    ['alert_deliveries', 'after', 3],
    ['document_runs', 'before', 3],
    ['document_runs', 'after', 3],
  ]
  test.each(STEPS)(
    'at %s, %s insert %i: nothing is lost, and nothing is told under two ids',
    async (table, when, number) => {
      const desk = {
        id: 'desk',
        type: 'webhook' as const,
        template: 'standard' as const,
        allowPrivate: true,
        url: 'https://desk.example/x',
        urlFile: undefined,
        secretFile: undefined,
        signingKeys: [Buffer.alloc(32, 7)],
        repeatIntervalHours: 4,
      }
      const open = (client: ClickHouseClient) =>
        Outbox.open({
          client,
          sinks: [desk],
          log: () => {},
          nowMs: () => nowMs,
          post: async ({ headers, body }) => {
            deliveries.push(`${headers['webhook-id']} ${body}`)
            return { kind: 'answered', status: 200, retryAfterMs: undefined }
          },
        })
      const schedules = [{ ...WEEKLY, formats: ['html', 'json'] }]
      const client = dyingAt(table, when, number)
      const first = await open(client)
      const dying = start({ schedules, client, outbox: first })
      await dying.runDue()
      nowMs = MONDAY_MS + 5_000
      await dying.runDue()
      // It said what it had stored, or nothing; then it is gone.
      if (deliveries.length === 0 && number % 2 === 1) await first.deliverDue()
      await first.close()

      nowMs += 3 * MINUTE_MS
      const second = await open(store.engine.writer)
      const next = start({ schedules, outbox: second })
      await next.runDue()
      await second.deliverDue()
      await second.close()
      // The schedule was seen for the first time by the second process: then its firing is not made up for.
      if (table === 'document_runs' && when === 'before' && number === 1) {
        expect(log.join()).toContain('killed')
        return
      }
      expect(await stored()).toHaveLength(6)
      const ids = deliveries.map((text) => text.split(' ')[0])
      expect(new Set(ids).size).toBe(3)
      expect(new Set(deliveries).size).toBe(3)
      const rows = await stored()
      for (const text of deliveries) {
        const { documents } = (
          JSON.parse(text.slice(text.indexOf(' ') + 1)) as {
            data: { documents: { id: string; sha256: string }[] }
          }
        ).data
        for (const { id, sha256 } of documents)
          expect(rows.find((row) => row.document_id === id)?.sha256).toBe(sha256)
      }
    },
  )
})

describe('what cannot be made', () => {
  test('a PDF without a Chromium: the others are made, and the notice says why it is missing', async () => {
    const print: PrintPdf = async () => {
      throw new ApiError('TRUNKSCOPE_API_PDF_UNAVAILABLE', 'none')
    }
    const process = start({ schedules: [{ ...WEEKLY, formats: ['html', 'pdf'] }], print })
    await process.runDue()
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    expect((await stored()).map(({ format }) => format)).toEqual(['html', 'html', 'html'])
    expect(told[0]!.annotations.summary).toContain(
      'Without pdf: no Chromium is installed where Trunkscope runs.',
    )
    expect([...process.status.omitted]).toEqual([['pdf', 3]])
    expect(log.join('\n')).toContain('no pdf of the scorecard of alpha')
  })

  test('only PDF and none can be made: nothing is stored, and that is told', async () => {
    const print: PrintPdf = async () => {
      throw new ApiError('TRUNKSCOPE_API_PDF_UNAVAILABLE', 'none')
    }
    const process = start({ schedules: [{ ...WEEKLY, formats: ['pdf'], folder: '/nowhere' }], print })
    await process.runDue()
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    expect(await stored()).toEqual([])
    expect(told.map(({ sinks }) => sinks)).toEqual([['desk'], ['desk'], ['desk']])
  })

  test('any bytes come back as they were made', async () => {
    const bytes = Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 7) % 256))
    const process = start({
      schedules: [{ ...WEEKLY, carriers: ['alpha'], side_by_side: false, formats: ['pdf'] }],
      print: async () => bytes,
    })
    await process.runDue()
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    const [{ document_id: id, sha256 } = { document_id: '', sha256: '' }] = await stored()
    expect(await readBody(store.engine.writer, id)).toEqual(bytes)
    expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  })

  test('a carrier that fails holds up no other, and is tried again until it is made', async () => {
    let busy = 2
    const print: PrintPdf = async (page) => {
      if (page.includes('Alpha Telecom, 2026') && busy-- > 0)
        throw new ApiError('TRUNKSCOPE_API_BUSY', 'too many')
      return Buffer.from('%PDF')
    }
    const process = start({ schedules: [{ ...WEEKLY, formats: ['pdf'] }], print })
    await process.runDue()
    nowMs = MONDAY_MS + 5_000
    await process.runDue()
    expect((await stored()).map(({ carrier }) => carrier)).toEqual(['', 'beta'])
    expect(process.status.runs).toEqual({ done: 0, failed: 1 })
    await process.runDue()
    expect(process.status.runs.failed).toBe(1)
    for (let minute = 0; minute < 5; minute++) {
      nowMs += MINUTE_MS
      await process.runDue()
    }
    expect(process.status.runs).toEqual({ done: 1, failed: 2 })
    expect((await stored()).map(({ carrier }) => carrier)).toEqual(['', 'alpha', 'beta'])
    expect(log.filter((line) => line.includes('is not made'))).toHaveLength(1)
    // The outbox folds what was told before.
    expect(new Set(told.map(({ key }) => key)).size).toBe(3)
  })
})
