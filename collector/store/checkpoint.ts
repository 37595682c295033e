/**
 * What the store writes before it does anything else (`store_checkpoints`): the minutes that the coming flush makes
 * stale, and as_of. A process that dies in between leaves rows without their rollups; its successor reads the intent and
 * recomputes them.
 */
import type { ClickHouseClient } from '@clickhouse/client'

export interface Checkpoint {
  version: number
  asOfUs: number
  staleMinutesS: number[]
}

export async function readCheckpoint(client: ClickHouseClient, busPartition: number): Promise<Checkpoint> {
  const result = await client.query({
    query: `SELECT version, as_of_us, stale_minutes FROM store_checkpoints FINAL WHERE bus_partition = {partition:UInt16}`,
    query_params: { partition: busPartition },
    format: 'JSONEachRow',
  })
  const [row] = await result.json<{ version: string; as_of_us: string; stale_minutes: number[] }>()
  if (row === undefined) return { version: 0, asOfUs: 0, staleMinutesS: [] }
  return { version: Number(row.version), asOfUs: Number(row.as_of_us), staleMinutesS: row.stale_minutes }
}

export async function writeCheckpoint(
  client: ClickHouseClient,
  busPartition: number,
  checkpoint: Checkpoint,
): Promise<void> {
  await client.command({
    query: `INSERT INTO store_checkpoints (bus_partition, version, as_of_us, stale_minutes)
            SELECT {partition:UInt16}, {version:UInt64}, {as_of:UInt64}, {minutes:Array(UInt32)}`,
    query_params: {
      partition: busPartition,
      version: checkpoint.version,
      as_of: checkpoint.asOfUs,
      minutes: checkpoint.staleMinutesS,
    },
  })
}
