/**
 * The ClickHouse server of the cluster: does it answer and let us in, which version, is its clock ours, are the tables those
 * of this version, and what may this user do. Only reads.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { checkSchema } from '../../../collector/store/schema.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { openServer } from '../../connect/clickhouse.js'
import { type Finding, fail, ok, warn } from './finding.js'
import { firstLine } from './machine.js'

const REQUEST_TIMEOUT_MS = 4_000
/** Minutes are those of two machines: a second between them puts a call's messages into the wrong one. */
const SKEW_NOTICE_MS = 1_000

const FIXES: Record<string, string> = {
  TRUNKSCOPE_STORE_UNREACHABLE:
    'Start it, or mend clickhouse.url (HTTP: port 8123, https: 8443) and the network between',
  TRUNKSCOPE_STORE_ACCESS_DENIED:
    'Put the right user and password into clickhouse.username and clickhouse.password_file; trunkscope init makes the users',
  TRUNKSCOPE_STORE_DATABASE_MISSING: 'Run: trunkscope init',
  TRUNKSCOPE_STORE_FILE_UNREADABLE: 'Check the path, and that the user that runs Trunkscope may read it',
  TRUNKSCOPE_STORE_SCHEMA_OLDER: 'Run: trunkscope init',
  TRUNKSCOPE_STORE_SCHEMA_NEWER: 'Run that later version, or name another clickhouse.database',
}

export async function checkClickHouse(
  config: NonNullable<TrunkscopeConfig['clickhouse']>,
  nowMs: () => number = Date.now,
): Promise<Finding[]> {
  let engine: Awaited<ReturnType<typeof openServer>>
  try {
    engine = await openServer({ ...config, request_timeout_ms: REQUEST_TIMEOUT_MS }, 'api')
  } catch (error) {
    return [failure('clickhouse', error)]
  }
  try {
    const client = engine.readers[0]!
    return [
      ...(await versionAndClock(client, nowMs)),
      await schema(client),
      await rights(client, config.username, config.database),
    ]
  } catch (error) {
    return [failure('clickhouse', error)]
  } finally {
    await engine.close()
  }
}

function failure(name: string, error: unknown): Finding {
  const { code = '', message } = error as { code?: string; message: string }
  return fail(name, firstLine(message), FIXES[code] ?? 'Look into the log of the server')
}

async function versionAndClock(client: ClickHouseClient, nowMs: () => number): Promise<Finding[]> {
  const askedAtMs = nowMs()
  const [row] = await select<{ version: string; now_ms: number }>(
    client,
    'SELECT version() AS version, toFloat64(toUnixTimestamp64Milli(now64(3))) AS now_ms',
  )
  const answeredAtMs = nowMs()
  return [
    ok('clickhouse', `answers, version ${row!.version}`),
    skew(row!.now_ms - (askedAtMs + answeredAtMs) / 2, (answeredAtMs - askedAtMs) / 2),
  ]
}

/** What lies within the time of the answer cannot be told. */
function skew(differenceMs: number, doubtMs: number): Finding {
  const name = 'clickhouse clock'
  const sentence = `the server's clock differs from ours by ${(differenceMs / 1_000).toFixed(1)} s, ± ${(doubtMs / 1_000).toFixed(1)} s`
  if (Math.abs(differenceMs) - doubtMs < SKEW_NOTICE_MS) return ok(name, sentence)
  return warn(name, sentence, 'Run an NTP client on both machines; then look: timedatectl')
}

async function schema(client: ClickHouseClient): Promise<Finding> {
  try {
    await checkSchema(client)
    return ok('clickhouse schema', 'the tables are those of this version')
  } catch (error) {
    return failure('clickhouse schema', error)
  }
}

async function rights(client: ClickHouseClient, user: string, database: string): Promise<Finding> {
  const name = 'clickhouse rights'
  const mayRead = await isGranted(client, `SELECT ON ${database}.call_attempts`)
  const mayWrite = await isGranted(client, `INSERT ON ${database}.call_attempts`)
  if (mayRead === undefined || mayWrite === undefined) {
    return ok(name, `this server does not tell what ${user} may do (CHECK GRANT came with 24.11)`)
  }
  if (!mayRead) {
    return fail(
      name,
      `${user} may not read ${database}.call_attempts`,
      'Run trunkscope init, which grants it',
    )
  }
  return ok(
    name,
    mayWrite
      ? `${user} may read and write`
      : `${user} may read and not write: enough for api, too little for store`,
  )
}

async function isGranted(client: ClickHouseClient, grant: string): Promise<boolean | undefined> {
  try {
    const [row] = await select<{ result: number }>(client, `CHECK GRANT ${grant}`)
    return row!.result === 1
  } catch {
    return undefined
  }
}

async function select<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' })
  return result.json<Row>()
}
