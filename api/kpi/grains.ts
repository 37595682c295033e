/**
 * Cuts a range into what days, hours and minutes of the rollups answer: the coarsest that fits, unless it is stale.
 *
 * An hour fits when the range holds it whole, and with a step when each entry of the series does. A stale hour has newer
 * minutes than it sums (`rollup_freshness`), so its minutes are read; hours that nobody marked hold nothing. The marks are
 * read before the rows: what becomes stale in between is answered as it was a moment ago, never half and half.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { keptOf } from '../../schemas/retention.js'
import type { Readers } from '../readers.js'
import { firstStepUs, type KpiQuery } from './query.js'

export type Grain = 'minute' | 'hour' | 'day'
export const GRAIN_S = { minute: 60, hour: 3_600, day: 86_400 } as const

/** Seconds since 1970; `toS` is not part of it. */
export interface Range {
  fromS: number
  toS: number
}
export type Parts = Record<Grain, Range[]>
export type Stale = Record<'hour' | 'day', ReadonlySet<number>>

type Asked = Pick<KpiQuery, 'fromUs' | 'toUs' | 'stepS' | 'byClock'>

/** What `rollup_freshness` says of the hours and days of a range. */
export interface Marks {
  stale: Stale
  /**
   * A text that is another one after every change below this hour or day. undefined where that is not known, and while it
   * is behind: its minutes may be on their way, so that they change under one and the same text.
   */
  stateOf(grain: 'hour' | 'day', startS: number): string | undefined
}

interface Mark {
  grain: 'hour' | 'day'
  start_s: number
  is_behind: number
  is_stale: number
  state: string
}

/** Hours and days that are not to be read although the range holds them, by their start. */
export async function readStale(readers: Readers, asked: Asked, config: TrunkscopeConfig): Promise<Stale> {
  return staleOf(await readRows(readers, asked, config, 'HAVING is_stale'))
}

export async function readMarks(readers: Readers, asked: Asked, config: TrunkscopeConfig): Promise<Marks> {
  const rows = await readRows(readers, asked, config, '')
  const marked = new Map(rows.map((row) => [`${row.grain} ${row.start_s}`, row]))
  return {
    stale: staleOf(rows.filter(({ is_stale }) => is_stale)),
    stateOf: (grain, startS) => {
      if (!mayRead(asked, grain)) return undefined
      const mark = marked.get(`${grain} ${startS}`)
      // Nobody marked it: it holds nothing.
      if (mark === undefined) return ''
      return mark.is_behind ? undefined : mark.state
    },
  }
}

function staleOf(rows: readonly Mark[]): Stale {
  const stale = { hour: new Set<number>(), day: new Set<number>() }
  for (const { grain, start_s } of rows) stale[grain].add(start_s)
  return stale
}

async function readRows(
  readers: Readers,
  asked: Asked,
  config: TrunkscopeConfig,
  having: string,
): Promise<Mark[]> {
  const grains = (['hour', 'day'] as const).filter((grain) => mayRead(asked, grain))
  if (grains.length === 0) return []
  const fromS = asked.fromUs / 1e6
  // Where the minutes may be gone, an old sum is all there is. The first hour may have begun before the range.
  return readers.select<Mark>(
    `SELECT grain, toUInt32(start) AS start_s, max(changed > summed) AS is_behind,
       max(changed > summed AND (summed = 0 OR start >= now() - toIntervalDay({kept_days:UInt32}))) AS is_stale,
       groupBitXor(cityHash64(bus_partition, changed, summed)) AS state
     FROM rollup_freshness FINAL
     WHERE grain IN {grains:Array(String)} AND start >= toDateTime({from_s:UInt32}, 'UTC')
       AND start < toDateTime({to_s:UInt32}, 'UTC')
     GROUP BY grain, start ${having}`,
    {
      grains,
      from_s: fromS - (fromS % GRAIN_S.hour),
      to_s: asked.toUs / 1e6,
      kept_days: keptOf(config.retention).minutesDays,
    },
  )
}

/** Whether the range, or with a step each entry of the series, can hold whole ones. */
function mayRead(asked: Asked, grain: Grain): boolean {
  const grainS = GRAIN_S[grain]
  const [fromS, toS] = [asked.fromUs / 1e6, asked.toUs / 1e6]
  const isCut = (seconds: number) => seconds % grainS !== 0
  if (asked.stepS !== null && (isCut(asked.stepS) || isCut(firstStepUs(asked) / 1e6))) return false
  return Math.ceil(fromS / grainS) * grainS + grainS <= toS
}

export function partsOf(asked: Asked, stale: Stale): Parts {
  const parts: Parts = { minute: [], hour: [], day: [] }
  const toS = asked.toUs / 1e6
  const [hours, days] = [mayRead(asked, 'hour'), mayRead(asked, 'day')]
  const isWhole = (grain: 'hour' | 'day', atS: number) =>
    atS % GRAIN_S[grain] === 0 && atS + GRAIN_S[grain] <= toS && !stale[grain].has(atS)
  for (let atS = asked.fromUs / 1e6; atS < toS; ) {
    const grain = days && isWhole('day', atS) ? 'day' : hours && isWhole('hour', atS) ? 'hour' : 'minute'
    // Minutes reach to the next hour, which may be read whole again.
    const endS =
      grain === 'minute' ? Math.min(toS, atS - (atS % GRAIN_S.hour) + GRAIN_S.hour) : atS + GRAIN_S[grain]
    const last = parts[grain].at(-1)
    if (last?.toS === atS) last.toS = endS
    else parts[grain].push({ fromS: atS, toS: endS })
    atS = endS
  }
  return parts
}
