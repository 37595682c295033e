/**
 * How fast `/v1/kpis` answers over 10 million attempts: 50 carriers, 4 sites, 2 directions, the 24 hours before a running
 * hour, and six more days of rollups before them.
 *
 *   node dist/bench/kpi-query.js [--attempts 10000000] [--data DIR] [--rounds 60] [--bus-partitions 1]
 *
 * Attempts are made by SQL, their rollups by the store's own statements. Questions go through the whole api (inject: routes,
 * checks, SQL, JSON). Hot: the same process, one question at a time. Cold: the first question of a process of its own.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import { openEmbeddedEngine } from '../bin/connect/clickhouse.js'
import { sumDue } from '../collector/store/hours.js'
import { recomputeMinutes } from '../collector/store/minutes.js'
import { applySchema } from '../collector/store/schema.js'
import { ROLLUP_COLUMNS } from '../schemas/kpi-rollup.js'
import { keptOf } from '../schemas/retention.js'
import { appAt, CONFIG, carrierOf, rowsOf, SITES } from './answering.js'
import { median } from './measure.js'

const { values } = parseArgs({
  options: {
    attempts: { type: 'string', default: '10000000' },
    data: { type: 'string' },
    rounds: { type: 'string', default: '60' },
    'bus-partitions': { type: 'string', default: '1' },
    /** Used by the bench itself: ask this question once, in a process of its own. */
    cold: { type: 'string' },
  },
})

const ATTEMPTS = Number(values.attempts)
const BUS_PARTITIONS = Array.from({ length: Number(values['bus-partitions']) }, (_, index) => index)
/** The minute that runs now: 12:34 of a day. */
const NOW_S = Math.floor(Date.now() / 86_400_000) * 86_400 + 12 * 3_600 + 34 * 60
const FIRST_S = NOW_S - 86_400
const DAYS_BEFORE = 6

const span = (fromS: number, toS: number) =>
  `from=${new Date(fromS * 1_000).toISOString()}&to=${new Date(toS * 1_000).toISOString()}`
const DAY = span(FIRST_S, NOW_S)
/** Up to the last hour that is over for long enough to be summed. */
const WHOLE_HOURS = span(NOW_S - (NOW_S % 3_600) - 86_400, NOW_S - (NOW_S % 3_600))
const GOAL = 'rate_487,pdd_p50,pdd_p95,pdd_p99,attestation_a_rate'
/** One after the other: a range that moves on finds less in memory than one that is asked for again. */
const MOVING = Array.from({ length: 34 }, (_, at) => NOW_S - (33 - at) * 60)
const QUESTIONS: readonly [name: string, ...addresses: string[]][] = [
  ['24 h to this minute, by carrier: 487 rate, PDD quantiles, attestation', `${DAY}&kpi=${GOAL}`],
  ['the same, each time a minute later', ...MOVING.map((nowS) => `${span(nowS - 86_400, nowS)}&kpi=${GOAL}`)],
  ['24 whole hours, by carrier: the five', `${WHOLE_HOURS}&kpi=${GOAL}`],
  ['24 h by carrier, all KPIs', DAY],
  ['24 h by carrier, site, direction: the five', `${DAY}&group_by=carrier,site,direction&kpi=${GOAL}`],
  ['24 h by carrier, site, direction, all KPIs', `${DAY}&group_by=carrier,site,direction`],
  ['24 whole hours by carrier, step 1 h: the five', `${WHOLE_HOURS}&step=3600&kpi=${GOAL}`],
  ['7 d by carrier: the five', `${span(NOW_S - 7 * 86_400, NOW_S)}&kpi=${GOAL}`],
  ['7 d by carrier, all KPIs', span(NOW_S - 7 * 86_400, NOW_S)],
  ['1 h by minute, one carrier, all KPIs', `${span(NOW_S - 3_600, NOW_S)}&step=60&carrier=${carrierOf(7)}`],
  ['the last hour by carrier, all KPIs', span(NOW_S - 3_600, NOW_S)],
]

async function bench(): Promise<void> {
  console.log(`${cpus().length} cores, ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(2)}`)
  const engine = openEmbeddedEngine(folder)
  await applySchema(engine.writer, CONFIG.retention)
  const [stored] = await rowsOf<{ n: string }>(engine.writer, 'SELECT count() AS n FROM call_attempts')
  if (Number(stored?.n) === 0) await fill(engine.writer)
  for (const table of ['call_attempts', 'kpi_minute', 'kpi_hour', 'kpi_day', 'rollup_freshness']) {
    const [{ rows, bytes } = {}] = await rowsOf<{ rows: string; bytes: string }>(
      engine.writer,
      `SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = '${table}'`,
    )
    console.log(`${table}: ${rows} rows, ${(Number(bytes) / 1e6).toFixed(1)} MB`)
  }
  const app = await appAt(NOW_S, engine.readers)
  for (const [name, ...addresses] of QUESTIONS) {
    const times: number[] = []
    let bytes = 0
    let cpuBefore = process.cpuUsage()
    const rounds = addresses.length > 1 ? addresses.length : Number(values.rounds) + 5
    for (let round = 0; round < rounds; round++) {
      const startedMs = performance.now()
      const response = await app.inject({ url: `/v1/kpis?${addresses[round % addresses.length]}` })
      if (response.statusCode !== 200) throw new Error(response.body)
      bytes = response.body.length
      if (round === 4) cpuBefore = process.cpuUsage()
      if (round >= 5) times.push(performance.now() - startedMs)
    }
    const cpu = process.cpuUsage(cpuBefore)
    const cpuMs = (cpu.user + cpu.system) / 1_000 / times.length
    times.sort((a, b) => a - b)
    const p95 = times[Math.ceil(times.length * 0.95) - 1] as number
    const [least = 0] = times
    console.log(
      `${name}: min ${least.toFixed(1)}, p50 ${median(times).toFixed(1)}, p95 ${p95.toFixed(1)} ms, CPU ${cpuMs.toFixed(1)} ms, ${bytes} bytes`,
    )
  }
  await app.close()
  await engine.close()
  for (const [name] of QUESTIONS) {
    const times = Array.from({ length: 5 }, () => cold(name))
    console.log(`cold, ${name}: p50 ${median(times).toFixed(0)}, worst ${Math.max(...times).toFixed(0)} ms`)
  }
  console.log(`load ${loadavg()[0]?.toFixed(2)}`)
}

function cold(name: string): number {
  const child = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), '--data', folder, '--cold', name],
    { encoding: 'utf8' },
  )
  if (child.status !== 0) throw new Error(child.stderr)
  return Number(child.stdout)
}

async function askOnce(name: string): Promise<void> {
  const engine = openEmbeddedEngine(folder)
  const app = await appAt(NOW_S, engine.readers)
  await app.ready()
  const address = QUESTIONS.find(([one]) => one === name)?.at(-1)
  const startedMs = performance.now()
  const response = await app.inject({ url: `/v1/kpis?${address}` })
  const tookMs = performance.now() - startedMs
  if (response.statusCode !== 200) throw new Error(response.body)
  await app.close()
  await engine.close()
  process.stdout.write(String(tookMs))
}

/** A million attempts a statement bounds its memory. */
const FILL_ROWS = 1_000_000

async function fill(client: ClickHouseClient): Promise<void> {
  const startedMs = performance.now()
  for (let from = 0; from < ATTEMPTS; from += FILL_ROWS) {
    await client.command({ query: attemptsSql(from, Math.min(ATTEMPTS, from + FILL_ROWS)) })
  }
  await client.command({ query: 'OPTIMIZE TABLE call_attempts FINAL' })
  console.log(`attempts made in ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`)

  const minutes = Array.from({ length: 1_441 + 120 }, (_, index) => FIRST_S + index * 60)
  const minutesMs = performance.now()
  await recomputeMinutes(client, BUS_PARTITIONS, minutes, 1n)
  console.log(`1,561 minutes recomputed in ${((performance.now() - minutesMs) / 1_000).toFixed(1)} s`)

  const dueMs = performance.now()
  const moment = { asOfUs: NOW_S * 1e6, nowS: NOW_S }
  let count = 0
  for (let version = 2n, done = -1; done !== 0; count += done, version++) {
    done = await sumDue(client, BUS_PARTITIONS, moment, keptOf(CONFIG.retention), version)
  }
  console.log(`${count} hours and days summed in ${((performance.now() - dueMs) / 1_000).toFixed(1)} s`)
  await copyToDaysBefore(client)
  for (const runs of [1, 2, 3]) {
    const flushMs = performance.now()
    await recomputeMinutes(
      client,
      BUS_PARTITIONS,
      [NOW_S - 60, NOW_S - 120, NOW_S - 240],
      BigInt(1_000 + runs),
    )
    console.log(`three minutes of a flush recomputed in ${(performance.now() - flushMs).toFixed(0)} ms`)
    const hourMs = performance.now()
    await recomputeMinutes(client, BUS_PARTITIONS, [NOW_S - 7_200], BigInt(1_000 + runs))
    const done = await sumDue(client, BUS_PARTITIONS, moment, keptOf(CONFIG.retention), BigInt(1_000 + runs))
    console.log(`a late minute and ${done} hour summed in ${(performance.now() - hourMs).toFixed(0)} ms`)
  }
}

/** The same traffic on the days before: minutes, hours and days as the store would have left them. */
async function copyToDaysBefore(client: ClickHouseClient): Promise<void> {
  const names = ROLLUP_COLUMNS.map(({ name }) => name).join(', ')
  const keys = 'party, carrier, site, direction'
  for (let day = 1; day <= DAYS_BEFORE; day++) {
    await client.command({
      query: `INSERT INTO kpi_minute (bus_partition, minute, ${keys}, version, computed_at, ${names})
        SELECT bus_partition, minute - ${day * 86_400} AS copied, ${keys}, 1, now(), ${names} FROM kpi_minute FINAL
        WHERE minute >= toDateTime(${FIRST_S}, 'UTC') AND minute < toDateTime(${NOW_S}, 'UTC')`,
    })
  }
  await client.command({
    query: `INSERT INTO rollup_freshness SELECT DISTINCT arrayJoin(['hour', 'day']) AS grain,
      if(grain = 'hour', toStartOfHour(minute), toStartOfDay(minute)), bus_partition, 500, 0 FROM kpi_minute
      WHERE minute < toDateTime(${FIRST_S}, 'UTC') + 3600`,
  })
  const moment = { asOfUs: NOW_S * 1e6, nowS: NOW_S }
  for (let done = -1, version = 501n; done !== 0; version++) {
    done = await sumDue(client, BUS_PARTITIONS, moment, keptOf(CONFIG.retention), version)
  }
  for (const table of ['kpi_minute', 'kpi_hour', 'kpi_day']) {
    await client.command({ query: `OPTIMIZE TABLE ${table} FINAL` })
  }
}

/** Delays are log-normal with a carrier's own median; carriers differ in size by a factor of three. */
function attemptsSql(from: number, to: number): string {
  const random = (salt: number) => `(cityHash64(number, ${salt}) % 1000000 / 1000000.)`
  const gauss = `sqrt(-2 * log(greatest(1e-6, ${random(5)}))) * cos(2 * pi() * ${random(6)})`
  return `
INSERT INTO call_attempts (minute, attempt_id, version, is_deleted, bus_partition, stored_at, end_minute, state, party,
  carrier, site, direction, call_id, invited_at_us, answered_at_us, bye_at_us, pdd_ms, pdd_bucket, duration_ms,
  final_code, disposition, ner_numerator, ner_denominator, cancel_class, rang, invited, attestation)
WITH
  ${FIRST_S} * 1000000 + toUInt64(number * ${(86_400 * 1e6) / ATTEMPTS}) AS at_us,
  ${random(1)} AS fate,
  multiIf(fate < 0.62, 'ANSWERED', fate < 0.74, 'BUSY', fate < 0.9, 'NO_ANSWER', fate < 0.95, 'INVALID_NUMBER',
    fate < 0.98, 'CONGESTION', 'PRE_RING_CANCEL') AS ended,
  toUInt8(least(49, 50 * pow(${random(2)}, 1.3))) AS carrier_number,
  if(ended IN ('INVALID_NUMBER', 'CONGESTION', 'PRE_RING_CANCEL'), NULL,
    round(exp(log(900 + carrier_number * 30) + 0.55 * ${gauss}), 3)) AS delay_ms,
  if(ended = 'ANSWERED', round(1000 - 180000 * log(greatest(1e-6, ${random(7)}))), NULL) AS talked_ms,
  if(talked_ms IS NULL, 0, at_us + 8000000 + toUInt64(ifNull(talked_ms, 0) * 1000)) AS ended_us
SELECT
  toDateTime(intDiv(at_us, 60000000) * 60, 'UTC'), unhex(hex(cityHash64(number)) || hex(sipHash64(number))), 1, 0,
  toUInt16(cityHash64(number, 9) % ${BUS_PARTITIONS.length}), now(), toDateTime(intDiv(ended_us, 60000000) * 60, 'UTC'),
  'closed', 'carrier', 'carrier-' || leftPad(toString(carrier_number + 1), 2, '0'),
  ['${SITES.join("', '")}'][1 + cityHash64(number, 3) % 4], ['inbound', 'outbound'][1 + cityHash64(number, 4) % 2],
  hex(cityHash64(number, 8)) || '@sbc.example', at_us, if(ended = 'ANSWERED', at_us + 8000000, 0), ended_us,
  delay_ms, if(delay_ms IS NULL, 0, toUInt16(least(512, ceil(log(greatest(1, ifNull(delay_ms, 1))) / log(1.03) - 1e-9)))),
  talked_ms, transform(ended, ['ANSWERED', 'BUSY', 'NO_ANSWER', 'INVALID_NUMBER', 'CONGESTION'], [200, 486, 487, 404, 503], 487),
  ended, ended IN ('ANSWERED', 'BUSY', 'NO_ANSWER'), ended != 'INVALID_NUMBER',
  transform(ended, ['NO_ANSWER', 'PRE_RING_CANCEL'], ['CALLER_ABANDON_RING', 'PRE_RING_CANCEL'], ''),
  ended IN ('ANSWERED', 'BUSY', 'NO_ANSWER'), true, ['A', 'A', 'A', 'B', 'C', 'none'][1 + cityHash64(number, 10) % 6]
FROM numbers(${from}, ${to - from})`
}

const folder = values.data ?? mkdtempSync(join(tmpdir(), 'trunkscope-bench-'))
try {
  if (values.cold === undefined) await bench()
  else await askOnce(values.cold)
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
}
