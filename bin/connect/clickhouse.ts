/**
 * ClickHouse behind its ordinary client: the embedded engine (chdb) in a data folder, or a server.
 *
 * Embedded, one connection runs one statement at a time, two run side by side: the store writes through one and everybody
 * reads through others. The engine is an optional dependency, loaded here only. To a server one client has as many
 * connections as it needs.
 *
 * Throws TRUNKSCOPE_STORE_ENGINE_MISSING where chdb is not installed or does not run on this platform; of a server
 * TRUNKSCOPE_STORE_UNREACHABLE, TRUNKSCOPE_STORE_ACCESS_DENIED, TRUNKSCOPE_STORE_DATABASE_MISSING, and
 * TRUNKSCOPE_STORE_FILE_UNREADABLE for its password or CA file. None of their texts holds a password.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type ClickHouseClient, type ClickHouseSettings, createClient } from '@clickhouse/client'
import type { TrunkscopeConfig } from '../../schemas/config.js'

export interface Engine {
  /** For inserts and the recomputation of minutes: the store's own. */
  writer: ClickHouseClient
  /** For raw messages, beside the writer. */
  rawWriter: ClickHouseClient
  /** For the api; a query takes a free one of a few connections. */
  readers: ClickHouseClient[]
  /** Folder the engine may read insert files from; undefined: rows go to a server as the body of the insert. */
  insertFolder: string | undefined
  close(): Promise<void>
}

export interface EmbeddedEngine extends Engine {
  insertFolder: string
}

export type ServerConfig = NonNullable<TrunkscopeConfig['clickhouse']>

/** What rows and numbers rest on, wherever the engine runs. */
const SETTINGS: ClickHouseSettings = {
  // 26.x defaults to asynchronous inserts; our batches must be stored when the call returns.
  async_insert: 0,
  output_format_json_quote_64bit_integers: 1,
  session_timezone: 'UTC',
  // A hostile spread of capture times must not make an insert fail: the months are bounded by the clamp.
  max_partitions_per_insert_block: '0',
  // A flush is 50 MB of messages under load: one part, and no larger ones after a long replay.
  min_insert_block_size_bytes: '67108864',
  min_insert_block_size_rows: '100000',
  // What one flush writes holds no row twice; what came again is folded away by merges and by FINAL.
  optimize_on_insert: 0,
}

/**
 * The embedded engine shares its cores with us; how many threads a server takes is its own affair. Settings outlive their
 * statement on a connection of chdb: the limits of an evidence pass must not be those of the next insert.
 */
const EMBEDDED: ClickHouseSettings = {
  max_threads: 2,
  max_execution_time: 0,
  max_memory_usage: '0',
  distributed_product_mode: 'deny',
}

const TO_SERVER: ClickHouseSettings = {
  // The answer waits for the end of the statement: an exception after the first bytes would come with status 200.
  wait_end_of_query: 1,
}

const READ_LIMITS: ClickHouseSettings = {
  max_execution_time: 30,
  max_memory_usage: '2000000000',
  max_result_rows: '1000000',
}

/**
 * The engine holds a thread of libuv's pool for as long as a statement runs, and the spool needs one for its writes: with
 * as many statements as threads a slow query stops capture (measured: a write took 9.5 s). So one thread stays free;
 * UV_THREADPOOL_SIZE (4 unless set) in the environment makes room for more questions at a time.
 */
const WRITERS = 2
const READERS = Math.max(1, Math.min(4, Number(process.env.UV_THREADPOOL_SIZE ?? 4) - WRITERS - 1))

export function openEmbeddedEngine(dataFolder: string): EmbeddedEngine {
  const path = join(dataFolder, 'clickhouse')
  const insertFolder = join(dataFolder, 'inserts')
  mkdirSync(path, { recursive: true, mode: 0o700 })
  mkdirSync(insertFolder, { recursive: true, mode: 0o700 })
  // The engine's allocator keeps freed pages for 5 s by default; merges come every few seconds, so their peaks would add up.
  process.env.JE_MALLOC_CONF ??= 'dirty_decay_ms:1000,muzzy_decay_ms:0'
  const createChdbConnection = loadChdb()
  const open = (settings: ClickHouseSettings) =>
    createClient({
      connection: createChdbConnection({ path }),
      clickhouse_settings: { ...SETTINGS, ...EMBEDDED, ...settings },
      // The engine's own text reaches us as the error of the failed call.
      log: { level: 127 },
    })
  // One thread each: they run beside the fold, and on two cores more threads only take turns with it.
  const writer = open({ max_threads: 1 })
  const rawWriter = open({ max_threads: 1 })
  const readers = Array.from({ length: READERS }, () => open(READ_LIMITS))
  return {
    writer,
    rawWriter,
    readers,
    insertFolder,
    close: async () => {
      for (const client of [...readers, rawWriter, writer]) await client.close()
    },
  }
}

type ChdbConnectionFactory = (options: {
  path: string
}) => NonNullable<Parameters<typeof createClient>[0]>['connection']

function loadChdb(): ChdbConnectionFactory {
  try {
    return createRequire(import.meta.url)('chdb/connection').createChdbConnection
  } catch (cause) {
    throw Object.assign(
      new Error(
        'the embedded ClickHouse engine (chdb) is not installed or does not run here. It needs Linux with glibc or ' +
          'macOS; install it with: npm install chdb',
        { cause },
      ),
      { code: 'TRUNKSCOPE_STORE_ENGINE_MISSING' },
    )
  }
}

/** Statements of the api that run side by side on a server. */
const SERVER_READERS = 8

/** Below the server's keep_alive_timeout (10 s by default, 3 s on old ones), so that it never closes first. */
const IDLE_SOCKET_MS = 2_500

/** Of the settings those that a reader needs. */
const READING: ClickHouseSettings = {
  output_format_json_quote_64bit_integers: SETTINGS.output_format_json_quote_64bit_integers,
  session_timezone: SETTINGS.session_timezone,
}

/**
 * Opens the server for a role, and asks it one question, so that what is wrong is said at the start: the store writes and
 * reads, the api only reads, within limits, as a user that may do no more (schemas/clickhouse/server/users.sql).
 */
export async function openServer(config: ServerConfig, role: 'store' | 'api'): Promise<Engine> {
  const client = serverClient(
    config,
    config.database,
    role === 'store' ? { ...SETTINGS, ...TO_SERVER } : { ...READING, ...READ_LIMITS, ...TO_SERVER },
  )
  try {
    await ask(client, config)
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    writer: client,
    rawWriter: client,
    readers: Array.from({ length: SERVER_READERS }, () => client),
    insertFolder: undefined,
    close: () => client.close(),
  }
}

/** For `trunkscope init`: makes the database of the configuration, if it is not there. */
export async function createDatabase(config: ServerConfig): Promise<void> {
  const client = serverClient(config, 'default', TO_SERVER)
  try {
    await ask(client, config)
    await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${config.database}` })
  } finally {
    await client.close()
  }
}

function serverClient(
  config: ServerConfig,
  database: string,
  settings: ClickHouseSettings,
): ClickHouseClient {
  const caFile = config.ca_file
  return createClient({
    url: config.url,
    username: config.username,
    password:
      config.password_file === undefined
        ? ''
        : textOf('clickhouse.password_file', config.password_file).replace(/\r?\n$/, ''),
    database,
    ...(caFile === undefined ? {} : { tls: { ca_cert: Buffer.from(textOf('clickhouse.ca_file', caFile)) } }),
    application: 'trunkscope',
    request_timeout: config.request_timeout_ms,
    max_open_connections: SERVER_READERS + 2,
    keep_alive: { enabled: true, idle_socket_ttl: IDLE_SOCKET_MS, eagerly_destroy_stale_sockets: true },
    // Measured on rows of a real capture: level 1 makes them an eighth for 1.1 µs a row, level 6 a tenth for 3.0 µs.
    compression: { response: true, request: { codec: 'gzip', level: 1 } },
    // A look-up names thousands of attempts; proxies refuse such an address.
    use_multipart_params_auto: true,
    clickhouse_settings: settings,
    // What goes wrong reaches us as the error of the failed call.
    log: { level: 127 },
  })
}

function textOf(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw serverError(
      'TRUNKSCOPE_STORE_FILE_UNREADABLE',
      `${key}: cannot read ${path} (${reasonOf(cause)})`,
      cause,
    )
  }
}

/** AUTHENTICATION_FAILED, and what older servers said. */
const NOT_LET_IN = new Set(['516', '192', '193', '194'])
const UNKNOWN_DATABASE = '81'

async function ask(client: ClickHouseClient, config: ServerConfig): Promise<void> {
  try {
    const result = await client.query({ query: 'SELECT 1 AS one', format: 'JSONEachRow' })
    await result.json()
  } catch (cause) {
    const code = (cause as { code?: string }).code ?? ''
    const at = placeOf(config.url)
    if (NOT_LET_IN.has(code)) {
      throw serverError(
        'TRUNKSCOPE_STORE_ACCESS_DENIED',
        `ClickHouse at ${at} does not let user ${config.username} in: check clickhouse.username and the content of ` +
          (config.password_file ?? 'clickhouse.password_file (none is set)'),
        cause,
      )
    }
    if (code === UNKNOWN_DATABASE) {
      throw serverError(
        'TRUNKSCOPE_STORE_DATABASE_MISSING',
        `ClickHouse at ${at} has no database ${config.database}. Run: trunkscope init`,
        cause,
      )
    }
    throw serverError(
      'TRUNKSCOPE_STORE_UNREACHABLE',
      `ClickHouse at ${at} does not answer (${reasonOf(cause)}): check that it runs, that clickhouse.url names its HTTP ` +
        'port (8123, or 8443 for https), that the network lets us through, and clickhouse.ca_file if it is https',
      cause,
    )
  }
}

/** Without the user and password that an address can hold. */
function placeOf(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}

const reasonOf = (error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException
  return message === '' || message === undefined ? String(code) : message
}

function serverError(code: string, sentence: string, cause: unknown): Error {
  return Object.assign(new Error(sentence, { cause }), { code })
}
