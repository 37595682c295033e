/**
 * Who works on a base partition: the store process with the highest claim.
 *
 * A broker can only say who *should* read a partition; a process that hung through a rebalance does not know that it is
 * over. So each process claims with an epoch above all before it, reads what is stored only after its claim, and looks
 * at the claims once more between its last write and its commit:
 *
 *   - a claim that came before that look: the writes may not have been seen by the successor, nothing is committed, and
 *     the bus delivers it to the successor again;
 *   - a claim that came after it: the successor reads after its claim, so it sees everything that was written.
 *
 * Versions of rows begin at the epoch, so what a superseded process still writes never stands above its successor's rows.
 * This needs reads that see acknowledged writes: one server, or a cluster with sequential consistency switched on.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export interface Claim {
  basePartition: number
  /** From 1. */
  epoch: number
  /** A name that no other process has. */
  owner: string
}

/** Versions of one attempt within an epoch; epochs × this stay exact as a double for 8 thousand million claims. */
const ATTEMPT_VERSIONS = 2 ** 20
const CLAIM_PAUSE_MAX_MS = 200

export async function claimPartition(
  client: ClickHouseClient,
  basePartition: number,
  owner: string,
): Promise<Claim> {
  while (true) {
    const known = await claimsFrom(client, basePartition, 0)
    const epoch = Math.max(0, ...known.map((claim) => claim.epoch)) + 1
    await client.insert({
      table: 'store_claims',
      values: [{ bus_partition: basePartition, epoch, owner, claimed_at: Math.floor(Date.now() / 1_000) }],
      format: 'JSONEachRow',
    })
    const highest = await claimsFrom(client, basePartition, epoch)
    if (highest.length === 1 && highest[0]?.owner === owner) return { basePartition, epoch, owner }
    // Two claimed at the same time: both try again, above both.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * CLAIM_PAUSE_MAX_MS))
  }
}

/** Those of the claims that somebody else has topped since. */
export async function lostClaims(client: ClickHouseClient, claims: readonly Claim[]): Promise<Claim[]> {
  if (claims.length === 0) return []
  const result = await client.query({
    query: `SELECT bus_partition, max(epoch) AS highest, argMax(owner, epoch) AS holder FROM store_claims
            WHERE bus_partition IN {partitions:Array(UInt16)} GROUP BY bus_partition`,
    query_params: { partitions: claims.map((claim) => claim.basePartition) },
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ bus_partition: number; highest: string; holder: string }>()
  const highest = new Map(rows.map((row) => [row.bus_partition, row]))
  return claims.filter((claim) => {
    const row = highest.get(claim.basePartition)
    return row === undefined || Number(row.highest) !== claim.epoch || row.holder !== claim.owner
  })
}

async function claimsFrom(
  client: ClickHouseClient,
  basePartition: number,
  epoch: number,
): Promise<{ epoch: number; owner: string }[]> {
  const result = await client.query({
    query: `SELECT DISTINCT epoch, owner FROM store_claims
            WHERE bus_partition = {partition:UInt16} AND epoch >= {epoch:UInt64}`,
    query_params: { partition: basePartition, epoch },
    format: 'JSONEachRow',
  })
  const rows = await result.json<{ epoch: string; owner: string }>()
  return rows.map((row) => ({ epoch: Number(row.epoch), owner: row.owner }))
}

/**
 * The version of an attempt's next row. The one in between belongs to a recompute, so that a store's row, which may know
 * more, always stands above it.
 */
export function attemptVersion(claim: Claim, storedVersion: number): number {
  return Math.max(storedVersion + 2, claim.epoch * ATTEMPT_VERSIONS)
}

/** The version of what is written as the `count`-th of its kind under a claim (rollups, checkpoints). */
export function claimedVersion(claim: Claim, count: number): bigint {
  return (BigInt(claim.epoch) << 32n) + BigInt(count)
}
