/**
 * How fast the call explorer, the scorecards and the pages answer over 10 million attempts.
 *
 *   node dist/bench/search.js [--attempts 10000000] [--hours 24] [--data DIR] [--rounds 40] [--only pages|search|scorecards|WORD]
 *
 * The data set is made by SQL (bench/search-attempts.ts); a DIR that holds one is gone on with. Questions go through the
 * whole api (inject: routes, checks, SQL, JSON or HTML), one at a time, each round with other values. A question whose values
 * are stored ones takes them from attempts spread over the range.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import type { App } from '../api/deps.js'
import { weekAt } from '../api/scorecards/week.js'
import { openEmbeddedEngine } from '../bin/connect/clickhouse.js'
import { applySchema } from '../collector/store/schema.js'
import { appAt, CARRIERS, CONFIG, carrierOf, rowsOf, SITES } from './answering.js'
import { median } from './measure.js'
import { fill } from './search-attempts.js'

const { values } = parseArgs({
  options: {
    attempts: { type: 'string', default: '10000000' },
    hours: { type: 'string', default: '24' },
    data: { type: 'string' },
    rounds: { type: 'string', default: '40' },
    /** A kind of questions, or those with this in their name. */
    only: { type: 'string', default: '' },
  },
})

/** Questions that ask for the page behind the first. */
const SECOND = ', 2nd page'
const ROUNDS = Number(values.rounds)

interface Sample {
  call_id: string
  called_number: string
}

/** Addresses of a round; a name that ends in ", 2nd page" asks for the page after the first. */
type Question = [name: string, addressOf: (round: number) => string]

function questionsOf(nowS: number, samples: readonly Sample[]): Question[] {
  const sample = (round: number) => samples[round % samples.length]!
  const carrier = (round: number) => carrierOf((round * 7) % CARRIERS)
  const site = (round: number) => SITES[round % SITES.length]
  const last = (round: number, digits: number) => sample(round).called_number.slice(-digits)
  /** Of a number that is not stored; the last digits alone may be. */
  const strange = (round: number) => `+8850${String(1_000_003 * (round + 1)).slice(-7)}`
  const filters: Question[] = [
    ['no filter', () => ''],
    ['carrier', (round) => `carrier=${carrier(round)}`],
    ['final code', () => 'final_code=503'],
    ['disposition', () => 'disposition=INVALID_NUMBER'],
    ['attestation', () => 'attestation=C'],
    [
      'carrier, site, direction, code',
      (round) => `carrier=${carrier(round)}&site=${site(round)}&direction=inbound&final_code=503`,
    ],
    ['Call-ID in the range', (round) => `call_id=${encodeURIComponent(sample(round).call_id)}`],
    ['Call-ID that is not there', (round) => `call_id=none-${round}`],
    ['whole number', (round) => `number=${encodeURIComponent(sample(round).called_number)}`],
    ['whole number that is not there', (round) => `number=${encodeURIComponent(strange(round))}`],
    ...[4, 5, 6, 7, 10].map(
      (digits): Question => [`last ${digits} digits`, (round) => `number=*${last(round, digits)}`],
    ),
    ['last 5 digits, called', (round) => `called=*${last(round, 5)}`],
    ['last 6 digits, none', (round) => `called=*${strange(round).slice(-6)}`],
    [
      'last 4 digits of a carrier with a code',
      (round) => `carrier=${carrier(round)}&final_code=503&number=*${last(round, 4)}`,
    ],
    ['a code that nobody sent', () => 'final_code=606'],
    [
      'rare: carrier, code and class that exclude each other',
      (round) => `carrier=${carrier(round)}&final_code=404&disposition=BUSY`,
    ],
    ['rare: of an empty site', () => 'site=unknown'],
    ['rare: incomplete', () => 'state=incomplete'],
    ...[
      '',
      'carrier=carrier-20',
      'final_code=503',
      'number=*1234',
      'carrier=carrier-20&final_code=503&site=fra',
    ].map((filter): Question => [`${filter === '' ? 'no filter' : filter}, 2nd page`, () => filter]),
  ]
  const range = (name: string, lengthS: number): Question[] =>
    filters.map(([filter, of]) => [
      `${name}: ${filter}`,
      (round) => `/v1/attempts?from=${nowS - lengthS}&to=${nowS}&${of(round)}`,
    ])
  const week = weekAt(nowS).id
  return [
    ...range('24 h', 86_400),
    ...range('7 d', 7 * 86_400),
    ['all time: Call-ID', (round) => `/v1/attempts?call_id=${encodeURIComponent(sample(round).call_id)}`],
    ['scorecard of a carrier', (round) => `/v1/carriers/${carrier(round)}/scorecard?week=${week}`],
    ['scorecard of the largest carrier', () => `/v1/carriers/${carrierOf(0)}/scorecard?week=${week}`],
    ['scorecards side by side', () => `/v1/scorecards?week=${week}`],
    ...[1, 6, 24, 168].map(
      (hours): Question => [`page: overview, ${hours} h`, () => `/?from=${nowS - hours * 3_600}&to=${nowS}`],
    ),
    ...[1, 24, 168].map(
      (hours): Question => [
        `page: carrier, ${hours} h`,
        (round) => `/carriers/${carrier(round)}?from=${nowS - hours * 3_600}&to=${nowS}`,
      ],
    ),
    ...filters
      .filter(([filter]) => !filter.endsWith(SECOND))
      .map(
        ([filter, of]): Question => [
          `page: attempts, 24 h: ${filter}`,
          (round) => `/attempts?from=${nowS - 86_400}&to=${nowS}&${of(round)}`,
        ],
      ),
    ['page: scorecards', () => '/scorecards'],
    ['page: objectives', () => '/slos'],
    ['page: unknown peers', () => `/carriers/unknown?from=${nowS - 86_400}&to=${nowS}`],
  ]
}

const KINDS: Record<string, (name: string) => boolean> = {
  pages: (name) => name.startsWith('page: '),
  scorecards: (name) => name.startsWith('scorecard') || name === 'page: scorecards',
  search: (name) => name.startsWith('page: attempts') || !/^(page: |scorecard)/.test(name),
}
const isAsked = KINDS[values.only] ?? ((name: string) => name.includes(values.only))

async function bench(): Promise<void> {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  console.log(
    `${new Date().toISOString()}, commit ${commit}, ${cpus().length} cores, ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(2)}`,
  )
  const engine = openEmbeddedEngine(folder)
  await applySchema(engine.writer, CONFIG.retention)
  // A Thursday at 12:34, two weeks ago: the day before is of the same week.
  const mondayS = weekAt(Math.floor(Date.now() / 1_000)).fromS - 14 * 86_400
  const asked = {
    attempts: Number(values.attempts),
    hours: Number(values.hours),
    nowS: mondayS + 3 * 86_400 + 12 * 3_600 + 34 * 60,
  }
  const nowS = await fill(engine.writer, asked, CONFIG.retention, console.log)
  for (const table of ['call_attempts', 'kpi_minute', 'kpi_hour', 'kpi_day']) {
    const [{ parts, rows, bytes, marks } = {}] = await rowsOf<Record<string, string>>(
      engine.writer,
      `SELECT count() AS parts, sum(rows) AS rows, sum(marks) AS marks, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = '${table}'`,
    )
    console.log(
      `${table}: ${parts} parts, ${rows} rows, ${marks} granules, ${(Number(bytes) / 1e6).toFixed(1)} MB`,
    )
  }
  const samples = await rowsOf<Sample>(
    engine.writer,
    'SELECT call_id, called_number FROM call_attempts WHERE cityHash64(attempt_id) % 20011 = 0 ORDER BY cityHash64(call_id) LIMIT 400',
  )
  const counted = countedReaders(engine.readers)
  const app = await appAt(nowS, counted.readers)
  console.log(
    '| question | min | p50 | p95 | least CPU, ms | statements | most bytes |\n|---|---|---|---|---|---|---|',
  )
  const all: number[] = []
  for (const [name, addressOf] of questionsOf(nowS, samples)) {
    if (isAsked(name)) all.push(...(await ask(app, counted, name, addressOf)))
  }
  all.sort((a, b) => a - b)
  console.log(
    `| all of them | ${[all[0]!, median(all), p95Of(all)].map((ms) => ms.toFixed(0)).join(' | ')} | | | |`,
  )
  console.log(`load ${loadavg()[0]?.toFixed(2)}`)
  await app.close()
  await engine.close()
}

async function ask(
  app: App,
  counted: { statements: number },
  name: string,
  addressOf: (round: number) => string,
): Promise<readonly number[]> {
  const timesMs: number[] = []
  const cpusMs: number[] = []
  let bytes = 0
  counted.statements = 0
  for (let round = 0; round < ROUNDS; round++) {
    let url = addressOf(round)
    if (name.endsWith(SECOND)) {
      const { next_cursor } = (await app.inject({ url })).json() as { next_cursor: string | null }
      if (next_cursor !== null) url += `&cursor=${next_cursor}`
      counted.statements = 0
    }
    const cpuBefore = process.cpuUsage()
    const startedMs = performance.now()
    const response = await app.inject({ url })
    timesMs.push(performance.now() - startedMs)
    const cpu = process.cpuUsage(cpuBefore)
    cpusMs.push((cpu.user + cpu.system) / 1_000)
    if (response.statusCode !== 200) throw new Error(`${url}: ${response.body.slice(0, 500)}`)
    bytes = Math.max(bytes, response.body.length)
  }
  const rounds = name.endsWith(SECOND) ? 1 : ROUNDS
  timesMs.sort((a, b) => a - b)
  const figures = [timesMs[0]!, median(timesMs), p95Of(timesMs), Math.min(...cpusMs)].map((ms) =>
    ms.toFixed(0),
  )
  console.log(`| ${name} | ${figures.join(' | ')} | ${(counted.statements / rounds).toFixed(1)} | ${bytes} |`)
  return timesMs
}

function p95Of(sorted: readonly number[]): number {
  return sorted[Math.ceil(sorted.length * 0.95) - 1]!
}

/** The same clients; each statement is counted. */
function countedReaders(clients: readonly ClickHouseClient[]) {
  const counted = { statements: 0, readers: [] as ClickHouseClient[] }
  counted.readers = clients.map(
    (client) =>
      new Proxy(client, {
        get(target, name) {
          if (name === 'query') counted.statements++
          const member = Reflect.get(target, name, target)
          return typeof member === 'function' ? member.bind(target) : member
        },
      }),
  )
  return counted
}

const folder = values.data ?? mkdtempSync(join(tmpdir(), 'trunkscope-bench-'))
try {
  await bench()
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
}
