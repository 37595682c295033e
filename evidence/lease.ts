/**
 * Who runs the evidence passes: one process at a time, the one with the highest epoch in `evidence_leases`.
 *
 * A process takes the lease when nobody has been heard of for `LEASE_MS`, by the clock of the store, and says that it lives
 * with every step. One that hung and wakes up finds a higher epoch: the versions of what it still writes are below its
 * successor's, it looks once more after its last row, and ends rows that the successor knows nothing of.
 *
 * The progress stands in the lease: up to which change all is judged, and which minutes are being written. A successor marks
 * these as stale, because rows may stand there of which the rollups do not know.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { StaleMinute } from './pass.js'

export const LEASE_MS = 30_000
const NAME = 'passes'

export interface Progress {
  /** Changes up to this second of computed_at are judged; 0: none yet. */
  judgedUntilS: number
  /** Being written. */
  writing: StaleMinute[]
}

interface Row {
  epoch: string
  owner: string
  beat: string
  quiet_ms: string
  progress: string
}

export class Lease {
  readonly epoch: number
  /** What the process before left. */
  readonly before: Progress
  readonly #client: ClickHouseClient
  readonly #owner: string
  #beats = 0
  #versions = 0n

  private constructor(client: ClickHouseClient, owner: string, epoch: number, before: Progress) {
    this.#client = client
    this.#owner = owner
    this.epoch = epoch
    this.before = before
  }

  /**
   * @param owner a name that no other process has
   * @returns     undefined while another process holds it
   */
  static async take(client: ClickHouseClient, owner: string, leaseMs = LEASE_MS): Promise<Lease | undefined> {
    const known = await newest(client)
    if (known !== undefined && known.owner !== owner && Number(known.quiet_ms) < leaseMs) return undefined
    const before = progressOf(known?.progress)
    const lease = new Lease(client, owner, Number(known?.epoch ?? 0) + 1, before)
    // Until this process says otherwise, what its predecessor was writing stays written down.
    await lease.beat(before)
    return (await lease.isHeld()) ? lease : undefined
  }

  /** Two that took the same epoch at once: neither has it, and both try again above it. */
  async isHeld(): Promise<boolean> {
    const rows = await select<{ owner: string }>(
      this.#client,
      `SELECT DISTINCT owner FROM evidence_leases WHERE name = {name:String} AND epoch >= {epoch:UInt64}`,
      { name: NAME, epoch: this.epoch },
    )
    return rows.length === 1 && rows[0]?.owner === this.#owner
  }

  async beat(progress: Progress): Promise<void> {
    this.#beats++
    await this.#client.command({
      query: `INSERT INTO evidence_leases (name, epoch, owner, heard_at, beat, progress)
              SELECT {name:String}, {epoch:UInt64}, {owner:String}, now64(3), {beat:UInt64}, {progress:String}`,
      query_params: {
        name: NAME,
        epoch: this.epoch,
        owner: this.#owner,
        beat: this.#beats,
        progress: JSON.stringify(progress),
      },
    })
  }

  /** Lets go of it, so that the next process need not wait. */
  async release(progress: Progress): Promise<void> {
    this.#beats++
    await this.#client.command({
      query: `INSERT INTO evidence_leases (name, epoch, owner, heard_at, beat, progress)
              SELECT {name:String}, {epoch:UInt64}, {owner:String}, toDateTime64(0, 3), {beat:UInt64}, {progress:String}`,
      query_params: {
        name: NAME,
        epoch: this.epoch,
        owner: this.#owner,
        beat: this.#beats,
        progress: JSON.stringify(progress),
      },
    })
  }

  version(): bigint {
    this.#versions++
    return (BigInt(this.epoch) << 32n) + this.#versions
  }
}

async function newest(client: ClickHouseClient): Promise<Row | undefined> {
  const [row] = await select<Row>(
    client,
    `SELECT epoch, owner, beat, progress, dateDiff('millisecond', heard_at, now64(3)) AS quiet_ms
     FROM evidence_leases WHERE name = {name:String} ORDER BY epoch DESC, beat DESC LIMIT 1`,
    { name: NAME },
  )
  return row
}

function progressOf(text: string | undefined): Progress {
  const read = text === undefined ? {} : (JSON.parse(text) as Partial<Progress>)
  return { judgedUntilS: read.judgedUntilS ?? 0, writing: read.writing ?? [] }
}

async function select<Found>(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown>,
): Promise<Found[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  return result.json<Found>()
}
