/**
 * Which minutes have changed: those whose rollups were written again. A store process writes them after the attempts, under
 * the clock of the store, whatever changed: a call, a late message, a recompute, a verdict. So a minute that is found
 * here has its attempts in place, and none is missed because a host's clock was wrong or an insert had to be repeated.
 *
 * And the minutes of arrival of the last ten minutes that got SIP messages: an OPTIONS makes no attempt and changes no rollup.
 */
import type { ClickHouseClient } from '@clickhouse/client'

/** A statement that writes rollups says `now()` when it begins; its rows are seen when it ends. */
const OVERLAP_S = 60
/** Minutes a look: a long replay is taken up in pieces, the oldest change first. */
const MINUTES_A_LOOK = 2_000
/** How far back minutes of arrival are looked at. */
const HEARD_S = 600

export interface ChangedMinute {
  minuteS: number
  changedAtS: number
}

export class ChangedMinutes {
  /** Version of the rollups that were seen, by minute and bus partition. */
  readonly #seen = new Map<string, { version: bigint; atS: number }>()
  /** SIP messages of the last minutes of arrival. */
  readonly #messages = new Map<number, number>()
  /** Changes up to here have been given. */
  untilS: number

  constructor(untilS: number) {
    this.untilS = untilS
  }

  /** What changed since the last look, each minute once. */
  async take(client: ClickHouseClient): Promise<ChangedMinute[]> {
    const fromS = Math.max(0, this.untilS - OVERLAP_S)
    const result = await client.query({
      query: `SELECT toUInt32(minute) AS minute_s, bus_partition, max(version) AS version, toUInt32(max(computed_at)) AS at_s,
                toUInt32(now()) AS now_s
              FROM kpi_minute WHERE computed_at >= toDateTime({from:UInt32}, 'UTC')
              GROUP BY minute, bus_partition ORDER BY at_s, minute_s, bus_partition LIMIT {limit:UInt32}`,
      query_params: { from: fromS, limit: MINUTES_A_LOOK + this.#seen.size },
      format: 'JSONEachRow',
    })
    const rows = await result.json<{
      minute_s: number
      bus_partition: number
      version: string
      at_s: number
      now_s: number
    }>()
    const changed = new Map<number, number>()
    for (const row of rows) {
      const key = `${row.minute_s} ${row.bus_partition}`
      const version = BigInt(row.version)
      if ((this.#seen.get(key)?.version ?? -1n) >= version) continue
      this.#seen.set(key, { version, atS: row.at_s })
      changed.set(row.minute_s, Math.min(row.at_s, changed.get(row.minute_s) ?? row.at_s))
    }
    const untilS = Math.max(this.untilS, rows.at(-1)?.at_s ?? 0)
    for (const [key, { atS }] of this.#seen) if (atS < untilS - OVERLAP_S) this.#seen.delete(key)
    for (const { minuteS, changedAtS } of await this.#heard(client)) {
      if (!changed.has(minuteS)) changed.set(minuteS, changedAtS)
    }
    // Not before: who says meanwhile how far all is judged must not count what nobody has heard of.
    this.untilS = untilS
    return [...changed].map(([minuteS, changedAtS]) => ({ minuteS, changedAtS }))
  }

  /**
   * OPTIONS make no attempt and change no rollup: a trunk that nobody calls over is known by the minutes in which SIP arrived.
   * Of the last minutes only: what is replayed comes with attempts, or with the next OPTIONS.
   */
  async #heard(client: ClickHouseClient): Promise<ChangedMinute[]> {
    const result = await client.query({
      query: `SELECT toUInt32(minute) AS minute_s, toUInt32(sum(sip_messages)) AS messages, toUInt32(now()) AS now_s
              FROM agents_minute FINAL WHERE minute >= now() - ${HEARD_S} AND sip_messages > 0 GROUP BY minute`,
      format: 'JSONEachRow',
    })
    const rows = await result.json<{ minute_s: number; messages: number; now_s: number }>()
    const known = new Set(rows.map((row) => row.minute_s))
    for (const minuteS of this.#messages.keys()) if (!known.has(minuteS)) this.#messages.delete(minuteS)
    return rows.flatMap(({ minute_s: minuteS, messages, now_s: changedAtS }) => {
      if (this.#messages.get(minuteS) === messages) return []
      this.#messages.set(minuteS, messages)
      return [{ minuteS, changedAtS }]
    })
  }
}

/** What was computed before the tables of the passes were made is judged when it is computed again. */
export async function firstChangeS(client: ClickHouseClient): Promise<number> {
  const result = await client.query({
    query: `SELECT toUInt32(min(applied_at)) AS at_s FROM schema_migrations WHERE number = 18`,
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ at_s: number }>()
  return row?.at_s ?? 0
}
