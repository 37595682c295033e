/**
 * The dashboards without Grafana: what it would ask of the API is asked over HTTP, with demo traffic behind it, and every link
 * is followed. What a panel then looks like is not seen here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildApp } from '../../api/app.js'
import type { App } from '../../api/deps.js'
import { type Engine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { DEMO_CONFIG } from '../../bin/demo/network.js'
import { Traffic } from '../../bin/demo/traffic.js'
import { troubleBefore } from '../../bin/demo/trouble.js'
import { applySchema } from '../../collector/store/schema.js'
import { StoreRole } from '../../collector/store-role.js'
import { BOARDS, PAGE_ADDRESS } from '../../dashboards/board.js'
import { configSchema } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { CHECK } from '../api/attestation/identity-rows.js'
import { liveStatus } from '../api/support.js'
import { boardsInFiles, expressionsOf, rulesInFile, urlsOf, withVariables } from './grafana.js'

const endS = Math.floor(Date.now() / 60_000) * 60
const startS = endS - 4_500
/** Enough for the floors of every panel in the last hour. */
const CALLS_PER_SECOND = 0.6
const FRAMES_A_BATCH = 2_000

const boards = boardsInFiles()
const config = configSchema.parse({
  ...DEMO_CONFIG,
  carriers: DEMO_CONFIG.carriers?.map((carrier) => ({
    ...carrier,
    limits: { concurrent_calls: 50, calls_per_second: 5 },
  })),
})
let folder: string
let engine: Engine
let app: App
const values: Record<string, readonly string[]> = { __interval: ['1m'] }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-dashboards-'))
  engine = openEmbeddedEngine(folder)
  await applySchema(engine.writer, config.retention)
  await store()
  app = await buildApp({
    readers: engine.readers,
    config,
    tokens: undefined,
    demo: false,
    live: () => liveStatus({ asOfUs: endS * 1e6, startedAtUs: startS * 1e6 }),
    metrics: async () => '',
    nowMs: () => endS * 1_000 + 20_000,
  })
  for (const { query } of boards.flatMap(({ templating }) => templating.list)) {
    const [, metric, label] =
      /^label_values\((\w+), (\w+)\)$/.exec((query as { query?: string }).query ?? '') ?? []
    if (metric === undefined || label === undefined) continue
    const span = `start=${startS}&end=${endS}`
    const listed = await ask(`/prom/api/v1/label/${label}/values?match[]=${metric}&${span}`)
    values[label] = [...new Set([...(values[label] ?? []), ...(listed.data as unknown as string[])])]
  }
}, 120_000)
afterAll(async () => {
  await app?.close()
  await engine?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function store(): Promise<void> {
  const role = await StoreRole.open({
    writer: engine.writer,
    rawWriter: engine.rawWriter,
    insertFolder: engine.insertFolder,
    config,
    basePartitions: [0],
    commit: async () => {},
    log: () => {},
  })
  const traffic = new Traffic({ seed: 5, trouble: troubleBefore(endS * 1e6) })
  let frames: ReceivedFrame[] = []
  let position = 0
  const accept = () => {
    const batch = { partition: 0, basePartition: 0, frames, position, nextPosition: position + frames.length }
    position += frames.length
    const receivedUntilUs = frames.at(-1)?.receivedAtUs ?? 0
    frames = []
    return role.accept({ ...batch, receivedUntilUs })
  }
  for (const { atUs, bytes } of traffic.backfill(startS * 1e6, endS * 1e6, CALLS_PER_SECOND)) {
    const peerAddress = '192.0.2.11'
    frames.push({
      receivedAtUs: atUs,
      transport: 'udp',
      peerAddress,
      bytes,
      position: position + frames.length,
    })
    if (frames.length === FRAMES_A_BATCH) await accept()
  }
  await accept()
  await role.drain()
  await storeChecks()
  await storeTrunks()
  await storeSuspicions()
}

async function insert(table: string, values: readonly object[]): Promise<void> {
  const columns = Object.keys(values[0]!) as [string, ...string[]]
  await engine.writer.insert({ table, columns, values, format: 'JSONEachRow' })
}

/** A trunk of each carrier, the first of which answers no more in the end; and peaks of the hours that are over. */
async function storeTrunks(): Promise<void> {
  const trunks = config.carriers.map(({ id }, at) => ({
    carrier: id,
    site: config.sites[at % config.sites.length]!.id,
    far_address: `198.51.100.${at + 1}`,
    version: 1,
    judged_at: endS,
  }))
  const minutes = trunks.flatMap((trunk, at) =>
    Array.from({ length: 60 }, (_, index) => {
      const minute = endS - (60 - index) * 60
      const isAlive = at > 0 || index < 45
      return {
        ...trunk,
        minute,
        options_answered: isAlive ? 1 : 0,
        options_unanswered: isAlive ? 0 : 1,
        unanswered_after: isAlive ? 0 : 1,
        last_life_us: isAlive ? minute * 1e6 + 5e6 : 0,
      }
    }),
  )
  await insert('trunk_minutes', minutes)
  const lastHourS = Math.floor(endS / 3_600) * 3_600 - 3_600
  await insert(
    'trunk_hours',
    [lastHourS, lastHourS - 3_600].flatMap((hour) =>
      trunks.flatMap((trunk) => [
        { ...trunk, scope: 'trunk', hour, calls_peak: 12, per_second_peak: 2 },
        { ...trunk, scope: 'carrier', site: '', far_address: '', hour, calls_peak: 20, per_second_peak: 3 },
      ]),
    ),
  )
}

/** What the early-media pass would write. */
async function storeSuspicions(): Promise<void> {
  const rows = config.carriers.flatMap(({ id: carrier }, of) =>
    Array.from({ length: 60 }, (_, at) => ({
      minute: endS - (at + 1) * 60,
      attempt_hex: (of * 1_000 + at).toString(16).padStart(32, '0'),
      version: 1,
      judged_at: endS,
      party: 'carrier',
      carrier,
      site: config.sites[at % config.sites.length]!.id,
      direction: 'outbound',
      codes: at % 10 === 0 ? ['EM_LONG', 'FAS_EARLY_ANSWER'] : ['EM_183_NO_180'],
    })),
  )
  await insert('attempt_anomalies', rows)
}

/** What the identity pass would write: the demo has no certificates. */
async function storeChecks(): Promise<void> {
  const values = config.carriers.flatMap(({ id: carrier }, of) =>
    Array.from({ length: 360 }, (_, at) => ({
      ...CHECK,
      minute: startS + 900 + Math.floor(at / 6) * 60,
      attempt_hex: (of * 1_000 + at).toString(16).padStart(32, '0'),
      token_hex: (of * 1_000 + at).toString(16).padStart(32, '0'),
      position: 0,
      version: 1,
      is_deleted: 0,
      checked_at: startS,
      carrier,
      site: config.sites[at % config.sites.length]!.id,
      direction: at % 2 === 0 ? 'inbound' : 'outbound',
      ...(at % 9 === 0
        ? { signature: 'invalid', signature_reason: 'signature_mismatch', verified: 'failed' }
        : {}),
    })),
  )
  await insert('identity_checks', values)
}

interface PromAnswer {
  status: string
  error?: string
  data: {
    result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[]
  }
}

async function ask(url: string): Promise<PromAnswer> {
  return (await app.inject({ url })).json() as PromAnswer
}

/** As Grafana asks: POST, a form. */
async function query(expr: string, isInstant: boolean): Promise<PromAnswer> {
  const times: Record<string, string> = isInstant
    ? { time: String(endS) }
    : { start: String(endS - 1_800), end: String(endS), step: '60' }
  const response = await app.inject({
    method: 'POST',
    url: `/prom/api/v1/${isInstant ? 'query' : 'query_range'}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ query: expr, ...times }).toString(),
  })
  return response.json() as PromAnswer
}

describe('dashboards, asked as Grafana asks', () => {
  test('the variables list the carriers, sites and directions of the traffic', () => {
    expect(values.carrier).toEqual(expect.arrayContaining(config.carriers.map(({ id }) => id)))
    expect(values.site).toEqual(expect.arrayContaining(config.sites.map(({ id }) => id)))
    expect(values.direction).toEqual(expect.arrayContaining(['inbound', 'outbound']))
  })

  test.each(boards.map((board) => [board.title, board] as const))(
    '%s: every expression gives series with numbers',
    async (_, board) => {
      const empty: string[] = []
      for (const { where, expr, isInstant } of expressionsOf([board])) {
        const filled = withVariables(expr, values)
        const { status, error, data } = await query(filled, isInstant)
        const numbers = (data?.result ?? [])
          .flatMap(({ value, values: points = [] }) => (value === undefined ? points : [value]))
          .filter(([, text]) => Number.isFinite(Number(text)))
        if (numbers.length === 0) empty.push(`${where}: ${status} ${error ?? ''} ${filled}`)
      }
      expect(empty).toEqual([])
    },
    60_000,
  )

  test('every rule is answered, and the six carriers of the table have numbers of their own', async () => {
    for (const { title, data } of rulesInFile()) {
      const answer = await query(data[0]!.model.expr!, true)
      expect(`${title} ${answer.status} ${answer.error ?? ''}`).toBe(`${title} success `)
    }
    const [attempts] = expressionsOf(boards.filter(({ uid }) => uid === BOARDS.noc.uid)).filter(
      ({ where }) => where.includes('Carriers') && where.endsWith('(A)'),
    )
    const { data } = await query(withVariables(attempts!.expr, values), true)
    expect(data.result.map(({ metric }) => metric.carrier).sort()).toEqual(
      expect.arrayContaining(config.carriers.map(({ id }) => id).sort()),
    )
  })

  test('no link is dead: pages of ours answer, dashboards and their panels exist', async () => {
    const picked: Record<string, readonly string[]> = {
      ...values,
      trunkscope: [PAGE_ADDRESS],
      __from: [new Date(startS * 1_000).toISOString()],
      __to: [new Date(endS * 1_000).toISOString()],
    }
    const labels: Record<string, string> = {
      carrier: 'aldermoor',
      site: 'dal',
      direction: 'outbound',
      disposition: 'ANSWERED',
      code: '200',
      class: 'PRE_RING_CANCEL',
      level: 'A',
    }
    const dead: string[] = []
    const ofRules = rulesInFile().map(({ annotations }) => annotations.runbook_url!)
    const written = [...new Set([...boards.flatMap(urlsOf), ...ofRules])]
    expect(written.length).toBeGreaterThan(20)
    for (const text of written) {
      const url = withVariables(
        text
          .replace(/\$\{__(from|to):date:iso\}/g, (_, edge) => picked[`__${edge}`]![0]!)
          .replace(/\$\{__field\.labels\.(\w+)\}/g, (_, label) => labels[label] ?? `no-label-${label}`)
          .replaceAll(`\${__value.text}`, 'aldermoor')
          .replaceAll(`\${__url_time_range}`, 'from=now-1h&to=now'),
        picked,
      )
      if (url.includes('$')) dead.push(`${text}: a variable is left`)
      else if (url.startsWith('/d/')) {
        const { pathname, searchParams } = new URL(url, PAGE_ADDRESS)
        const board = boards.find(({ uid }) => `/d/${uid}` === pathname)
        const panel = searchParams.get('viewPanel')
        const isThere = panel === null || board?.panels.some(({ id }) => String(id) === panel)
        if (board === undefined || !isThere) dead.push(text)
      } else {
        const { statusCode } = await app.inject({ url: url.slice(PAGE_ADDRESS.length) })
        if (!url.startsWith(PAGE_ADDRESS) || statusCode !== 200) dead.push(`${url}: ${statusCode}`)
      }
    }
    expect(dead).toEqual([])
  }, 60_000)
})
