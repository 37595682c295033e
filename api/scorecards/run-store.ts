/**
 * What is remembered of the firings of schedules, in rows of `document_runs`: since when one is followed, who makes it, and
 * that it is done. Of rows with the same key the first one stands, so a row that is read back after it was written says who
 * was first.
 *
 * A claim is a turn of a few minutes. Who goes on longer takes the next turn itself; who died leaves it to anybody.
 */
import type { ClickHouseClient } from '@clickhouse/client'

/** One scorecard takes seconds, a printed one at most some twenty more. */
export const TURN_MS = 300_000

export interface RunName {
  schedule: string
  firedAtMs: number
}

interface Claim {
  turn: number
  owner: string
  at_ms: string
}

export class RunStore {
  readonly #client: ClickHouseClient
  readonly #owner: string

  /** @param client may write `document_runs` */
  constructor(client: ClickHouseClient, owner: string) {
    this.#client = client
    this.#owner = owner
  }

  /** Since when a schedule with this definition is followed: from now on, if it is new. */
  async since(schedule: string, definition: string, nowMs: number): Promise<number> {
    const known = await this.#since(schedule, definition)
    if (known !== undefined) return known
    await this.#insert({ schedule, event: 'since', definition, at: stampOf(nowMs) })
    return (await this.#since(schedule, definition)) ?? nowMs
  }

  async #since(schedule: string, definition: string): Promise<number | undefined> {
    const [row] = await this.#select<{ at_ms: string }>(
      `SELECT toString(toUnixTimestamp64Milli(at)) AS at_ms FROM document_runs FINAL
       WHERE schedule = {schedule:String} AND event = 'since' AND definition = {definition:String}`,
      { schedule, definition },
    )
    return row === undefined ? undefined : Number(row.at_ms)
  }

  /** The last firing that was done; 0: none. */
  async lastDone(schedule: string): Promise<number> {
    const [row] = await this.#select<{ fired_s: string }>(
      `SELECT toString(max(toUnixTimestamp(fired_at))) AS fired_s FROM document_runs
       WHERE schedule = {schedule:String} AND event = 'done'`,
      { schedule },
    )
    return Number(row?.fired_s ?? 0) * 1_000
  }

  async isDone({ schedule, firedAtMs }: RunName): Promise<boolean> {
    const rows = await this.#select(
      `SELECT turn FROM document_runs WHERE schedule = {schedule:String} AND event = 'done'
         AND fired_at = toDateTime({fired_s:UInt32}, 'UTC') LIMIT 1`,
      { schedule, fired_s: Math.floor(firedAtMs / 1_000) },
    )
    return rows.length > 0
  }

  /** true: it is ours for a turn, now or still. */
  async claim(run: RunName, nowMs: number): Promise<boolean> {
    const last = await this.#claim(run)
    const ageMs = last === undefined ? Number.POSITIVE_INFINITY : nowMs - Number(last.at_ms)
    const isOurs = last?.owner === this.#owner
    if (isOurs && ageMs < TURN_MS / 3) return true
    if (!isOurs && ageMs < TURN_MS) return false
    const turn = (last?.turn ?? 0) + 1
    await this.#insert({
      schedule: run.schedule,
      event: 'claim',
      fired_at: secondOf(run.firedAtMs),
      turn,
      owner: this.#owner,
      at: stampOf(nowMs),
    })
    const now = await this.#claim(run)
    return now?.turn === turn && now.owner === this.#owner
  }

  async #claim({ schedule, firedAtMs }: RunName): Promise<Claim | undefined> {
    const [row] = await this.#select<Claim>(
      `SELECT turn, owner, toString(toUnixTimestamp64Milli(at)) AS at_ms FROM document_runs FINAL
       WHERE schedule = {schedule:String} AND event = 'claim' AND fired_at = toDateTime({fired_s:UInt32}, 'UTC')
       ORDER BY turn DESC LIMIT 1`,
      { schedule, fired_s: Math.floor(firedAtMs / 1_000) },
    )
    return row
  }

  async done({ schedule, firedAtMs }: RunName, nowMs: number, note: string): Promise<void> {
    await this.#insert({
      schedule,
      event: 'done',
      fired_at: secondOf(firedAtMs),
      owner: this.#owner,
      at: stampOf(nowMs),
      note,
    })
  }

  async #insert(row: Record<string, string | number>): Promise<void> {
    await this.#client.insert({
      table: 'document_runs',
      columns: ['schedule', 'event', 'definition', 'fired_at', 'turn', 'owner', 'at', 'note'],
      values: [{ definition: '', fired_at: secondOf(0), turn: 0, owner: '', note: '', ...row }],
      format: 'JSONEachRow',
    })
  }

  async #select<Row>(query: string, parameters: Record<string, unknown>): Promise<Row[]> {
    const result = await this.#client.query({ query, query_params: parameters, format: 'JSONEachRow' })
    return result.json<Row>()
  }
}

const stampOf = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 23).replace('T', ' ')
const secondOf = (timeMs: number) => stampOf(timeMs).slice(0, 19)
