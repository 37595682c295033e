/**
 * Deliveries as rows of `alert_deliveries`. One delivery is one notice for one sink; its identity is the alert's key, the
 * transition and the sink, and the row with the highest version stands.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Notice } from '../../schemas/alert-hook.js'

export const DELIVERY_STATES = ['pending', 'retrying', 'delivered', 'dead'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export interface Delivery {
  notice: Notice
  sink: string
  version: number
  state: DeliveryState
  tries: number
  nextTryAtMs: number
  /** '': none. */
  lastError: string
  storedAtMs: number
  updatedAtMs: number
}

/** `<key>.<transition>.<sink>`: none of the three holds a dot. */
export function deliveryId({ notice, sink }: Pick<Delivery, 'notice' | 'sink'>): string {
  return `${notice.key}.${notice.transition}.${sink}`
}

export interface DeliveryName {
  key: string
  transition: number
  sink: string
}

export function readDeliveryId(id: string): DeliveryName | undefined {
  const [, key, transition, sink] = /^([0-9a-f]{32})\.(\d{1,15})\.([a-z0-9][a-z0-9_-]{0,62})$/.exec(id) ?? []
  if (key === undefined) return undefined
  return { key, transition: Number(transition), sink: sink! }
}

export async function writeDeliveries(
  client: ClickHouseClient,
  deliveries: readonly Delivery[],
): Promise<void> {
  if (deliveries.length === 0) return
  await client.insert({
    table: 'alert_deliveries',
    values: deliveries.map((delivery) => ({
      alert_key: delivery.notice.key,
      transition: delivery.notice.transition,
      sink: delivery.sink,
      version: delivery.version,
      state: delivery.state,
      status: delivery.notice.status,
      carrier: delivery.notice.labels.carrier ?? '',
      site: delivery.notice.labels.site ?? '',
      tries: delivery.tries,
      next_try_at: stampOf(delivery.nextTryAtMs),
      last_error: delivery.lastError,
      notice: JSON.stringify(delivery.notice),
      stored_at: stampOf(delivery.storedAtMs),
      updated_at: stampOf(delivery.updatedAtMs),
    })),
    format: 'JSONEachRow',
  })
}

const stampOf = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 23).replace('T', ' ')

const COLUMNS = `sink, version, state, tries, notice, last_error,
  toUnixTimestamp64Milli(next_try_at) AS next_try_ms, toUnixTimestamp64Milli(stored_at) AS stored_ms,
  toUnixTimestamp64Milli(updated_at) AS updated_ms`

interface Row {
  sink: string
  version: string
  state: DeliveryState
  tries: number
  notice: string
  last_error: string
  next_try_ms: string
  stored_ms: string
  updated_ms: string
}

/** What a process that died left to do. */
export function readWaiting(client: ClickHouseClient): Promise<Delivery[]> {
  return read(
    client,
    `SELECT ${COLUMNS} FROM alert_deliveries FINAL WHERE state IN ('pending', 'retrying')
     ORDER BY stored_at, alert_key, transition`,
  )
}

/** Of each alert and sink what was told last, where that is that it fires: it is told again while it does. */
export function readFiring(client: ClickHouseClient): Promise<Delivery[]> {
  return read(
    client,
    `SELECT ${COLUMNS} FROM alert_deliveries FINAL
     WHERE state = 'delivered' OR (state = 'dead' AND status = 'resolved')
     ORDER BY alert_key, sink, transition DESC
     LIMIT 1 BY alert_key, sink`,
  ).then((latest) => latest.filter(({ notice }) => notice.status === 'firing'))
}

/** Of these alerts the last transitions for each sink, whoever stored them. */
export function readLatest(client: ClickHouseClient, keys: readonly string[]): Promise<Delivery[]> {
  return read(
    client,
    `SELECT ${COLUMNS} FROM alert_deliveries FINAL WHERE alert_key IN {keys:Array(String)}
     ORDER BY alert_key, sink, transition DESC
     LIMIT 20 BY alert_key, sink`,
    { keys },
  )
}

export function readOne(
  client: ClickHouseClient,
  { key, transition, sink }: DeliveryName,
): Promise<Delivery | undefined> {
  return read(
    client,
    `SELECT ${COLUMNS} FROM alert_deliveries FINAL
     WHERE alert_key = {key:String} AND transition = {transition:UInt64} AND sink = {sink:String}`,
    { key, transition, sink },
  ).then(([delivery]) => delivery)
}

async function read(
  client: ClickHouseClient,
  query: string,
  parameters: Record<string, unknown> = {},
): Promise<Delivery[]> {
  const result = await client.query({ query, query_params: parameters, format: 'JSONEachRow' })
  const rows = await result.json<Row>()
  return rows.map((row) => ({
    notice: JSON.parse(row.notice) as Notice,
    sink: row.sink,
    version: Number(row.version),
    state: row.state,
    tries: row.tries,
    nextTryAtMs: Number(row.next_try_ms),
    lastError: row.last_error,
    storedAtMs: Number(row.stored_ms),
    updatedAtMs: Number(row.updated_ms),
  }))
}
