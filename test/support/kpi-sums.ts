/**
 * What an attempt counts, by minute and group, three times over: by the rules of the catalog, by the stored rollups, and
 * by the SQL over attempts. The three must be equal; the numbers of an eval line come from them.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { wilsonInterval } from '../../api/kpi/interval.js'
import type { Attempt } from '../../schemas/attempt.js'
import { delayBucket, histogramQuantileMs } from '../../schemas/delay-histogram.js'
import { judgedAttempts } from '../../schemas/judged-attempts.js'
import type { Kpi, QuantileKpi } from '../../schemas/kpi/kpi.js'
import { MEAN_KPIS, RATIO_KPIS } from '../../schemas/kpi-catalog.js'
import { attemptMeasures, ROLLUP_COLUMNS } from '../../schemas/kpi-rollup.js'

export interface Group {
  minuteS: number
  party: string
  carrier: string
  site: string
  direction: string
}

export interface GroupSums {
  group: Group
  /** By rollup column. */
  counts: Record<string, number>
  maps: Record<string, Record<string, number>>
  /** Measured post-dial delays, ascending; undefined where only a histogram is kept. */
  pddMs: number[] | undefined
}

export type Table = Map<string, GroupSums>

const isMap = (type: string) => type.startsWith('Map(')
const GROUP = ['party', 'carrier', 'site', 'direction'] as const

export function emptySums(group: Group): GroupSums {
  return {
    group,
    counts: Object.fromEntries(ROLLUP_COLUMNS.filter((c) => !isMap(c.type)).map((c) => [c.name, 0])),
    maps: Object.fromEntries(ROLLUP_COLUMNS.filter((c) => isMap(c.type)).map((c) => [c.name, {}])),
    pddMs: [],
  }
}

const keyOf = (group: Group) =>
  `${group.minuteS} ${group.party} ${group.carrier} ${group.site} ${group.direction}`

/** By the rules: an attempt counts in the minute of its INVITE, and its end in the minute of the end. */
export function sumsByRule(attempts: Iterable<Attempt>): Table {
  const table: Table = new Map()
  const sumsAt = (attempt: Attempt, minuteS: number) => {
    const { party, carrier, site, direction } = attempt
    const group = { minuteS, party, carrier, site, direction }
    const sums = table.get(keyOf(group)) ?? emptySums(group)
    table.set(keyOf(group), sums)
    return sums
  }
  for (const attempt of attempts) {
    if (attempt.state === 'fragment') continue
    const sums = sumsAt(attempt, attempt.minuteS)
    if (attempt.state !== 'closed') {
      add(sums.counts, attempt.state)
      continue
    }
    addStart(sums, attempt)
    addAnswers(sums, attempt, 'start')
    if (attempt.endMinuteS > 0) addAnswers(sumsAt(attempt, attempt.endMinuteS), attempt, 'end')
  }
  for (const sums of table.values()) sums.pddMs?.sort((a, b) => a - b)
  return table
}

function addStart(sums: GroupSums, attempt: Attempt): void {
  add(sums.counts, 'attempts')
  const map = (name: string) => sums.maps[name] as Record<string, number>
  if (attempt.finalCode > 0) add(map('responses'), String(attempt.finalCode))
  add(map('dispositions'), attempt.disposition)
  if (attempt.cancelClass !== '') add(map('cancels'), attempt.cancelClass)
  if (attempt.invited) add(map('attestations'), attempt.attestation)
  if (attempt.pddMs === null) return
  add(map('pdd_histogram'), String(delayBucket(attempt.pddMs)))
  add(sums.counts, 'pdd_count')
  add(sums.counts, 'pdd_sum_ms', attempt.pddMs)
  sums.pddMs?.push(attempt.pddMs)
}

function addAnswers(sums: GroupSums, attempt: Attempt, minute: 'start' | 'end'): void {
  for (const kpi of RATIO_KPIS.filter((one) => one.minute === minute)) {
    const answer = kpi.rule(attempt)
    if (answer === 'outside') continue
    if (answer === 'numerator') add(sums.counts, `${kpi.id}_numerator`)
    if (answer === 'excluded') add(sums.counts, `${kpi.id}_excluded`)
    else add(sums.counts, `${kpi.id}_denominator`)
  }
  for (const kpi of MEAN_KPIS.filter((one) => one.minute === minute)) {
    const ms = kpi.rule(attempt)
    if (ms === null) continue
    add(sums.counts, `${kpi.id}_count`)
    add(sums.counts, `${kpi.id}_sum_ms`, ms)
  }
}

function add(counts: Record<string, number>, key: string, value = 1): void {
  counts[key] = (counts[key] ?? 0) + value
}

export async function sumsOfRollups(client: ClickHouseClient): Promise<Table> {
  const columns = ROLLUP_COLUMNS.map((column) => `${column.sum} AS sum_${column.name}`).join(', ')
  const summed = ROLLUP_COLUMNS.map((column) => `sum_${column.name} AS ${column.name}`).join(', ')
  // Each base partition of the bus has rows of its own.
  return readTable(
    client,
    `SELECT minute_s, ${GROUP.join(', ')}, ${summed} FROM (
       SELECT toUInt32(minute) AS minute_s, ${GROUP.join(', ')}, ${columns} FROM kpi_minute FINAL
       GROUP BY minute_s, ${GROUP.join(', ')})`,
    false,
  )
}

export async function sumsOfAttempts(client: ClickHouseClient): Promise<Table> {
  const columns = ROLLUP_COLUMNS.map((column) => `${column.aggregate} AS sum_${column.name}`).join(', ')
  const measured = "counted = 'start' AND state = 'closed' AND isNotNull(pdd_ms)"
  return readTable(
    client,
    `SELECT toUInt32(counted_minute) AS minute_s, ${GROUP.join(', ')}, ${columns},
       arraySort(groupArrayIf(assumeNotNull(pdd_ms), ${measured})) AS all_pdd_ms
     FROM (${attemptMeasures('true', 'true', GROUP, 'call_attempts', judgedAttempts({ minutes: 'true' }))}) GROUP BY minute_s, ${GROUP.join(', ')}`,
    true,
  )
}

async function readTable(client: ClickHouseClient, query: string, exact: boolean): Promise<Table> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  const table: Table = new Map()
  for (const row of await result.json<Record<string, unknown>>()) {
    const { minute_s: minuteS, party, carrier, site, direction } = row as Record<string, never>
    const sums = emptySums({ minuteS, party, carrier, site, direction })
    for (const { name, type } of ROLLUP_COLUMNS) {
      const value = row[exact ? `sum_${name}` : name]
      if (!isMap(type)) sums.counts[name] = Number(value)
      else sums.maps[name] = numbers(value as Record<string, unknown>)
    }
    sums.pddMs = exact ? (row.all_pdd_ms as number[]) : undefined
    // A group that went away stays as a row of zeros.
    if (Object.values(sums.counts).some((count) => count !== 0)) table.set(keyOf(sums.group), sums)
  }
  return table
}

function numbers(map: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(map)
      .map(([key, value]) => [key, Number(value)] as const)
      .filter(([, value]) => value !== 0),
  )
}

/** How `seen` differs from `truth`, a sentence a difference. */
export function differences(truth: Table, seen: Table): string[] {
  const found: string[] = []
  for (const key of new Set([...truth.keys(), ...seen.keys()])) {
    const expected = truth.get(key)
    const got = seen.get(key)
    if (expected === undefined || got === undefined) {
      found.push(`group ${key}: ${expected === undefined ? 'not by the rule' : 'not by the SQL'}`)
      continue
    }
    for (const { name, type } of ROLLUP_COLUMNS) {
      const [a, b] = isMap(type)
        ? [textOf(expected.maps[name]), textOf(got.maps[name])]
        : [expected.counts[name] ?? 0, got.counts[name] ?? 0]
      const same =
        typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) < 1e-6 * (1 + Math.abs(a)) : a === b
      if (!same) found.push(`group ${key}: ${name} is ${b}, by the rule ${a}`)
    }
  }
  return found
}

function textOf(map: Record<string, number> | undefined): string {
  return JSON.stringify(Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The sum of the groups that `accepts`. */
export function sumOf(table: Table, accepts: (group: Group) => boolean): GroupSums {
  const total = emptySums({ minuteS: 0, party: '', carrier: '', site: '', direction: '' })
  for (const sums of table.values()) {
    if (!accepts(sums.group)) continue
    for (const [name, value] of Object.entries(sums.counts)) add(total.counts, name, value)
    for (const [name, map] of Object.entries(sums.maps)) {
      for (const [key, value] of Object.entries(map))
        add(total.maps[name] as Record<string, number>, key, value)
    }
    if (sums.pddMs === undefined) total.pddMs = undefined
    else total.pddMs?.push(...sums.pddMs)
  }
  total.pddMs?.sort((a, b) => a - b)
  return total
}

/** What an eval line can say of a KPI; `null` where the number has no value. */
export type KpiNumbers = Record<string, number | string | null | [number, number]>

export function kpiNumbers(kpi: Kpi, sums: GroupSums): KpiNumbers {
  const count = (name: string) => sums.counts[name] ?? 0
  if (kpi.kind === 'ratio') {
    const numerator = count(`${kpi.id}_numerator`)
    const denominator = count(`${kpi.id}_denominator`)
    return {
      numerator,
      denominator,
      excluded: count(`${kpi.id}_excluded`),
      incomplete: count('incomplete'),
      open: count('open'),
      ratio: denominator === 0 ? null : numerator / denominator,
      interval: wilsonInterval(numerator, denominator),
    }
  }
  const n = kpi.kind === 'mean' ? count(`${kpi.id}_count`) : count('pdd_count')
  const ms = kpi.kind === 'mean' ? count(`${kpi.id}_sum_ms`) / n : quantileMs(kpi, sums)
  const enough = n >= kpi.floor
  return {
    count: n,
    value: enough && ms !== null ? ms / 1_000 : null,
    reason: enough ? null : 'insufficient_data',
  }
}

function quantileMs(kpi: QuantileKpi, sums: GroupSums): number | null {
  const { pddMs } = sums
  if (pddMs !== undefined) return pddMs[Math.max(1, Math.ceil(kpi.p * pddMs.length)) - 1] ?? null
  const counts = Object.entries(sums.maps.pdd_histogram ?? {}).map(
    ([bucket, n]) => [Number(bucket), n] as const,
  )
  return histogramQuantileMs(new Map(counts), kpi.p)
}
