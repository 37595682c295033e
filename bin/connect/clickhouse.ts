/**
 * Opens the embedded ClickHouse engine (chdb) in a data folder, behind the ordinary ClickHouse client.
 *
 * One connection runs one statement at a time, two run side by side: the store writes through one and everybody reads
 * through others. The engine is an optional dependency, loaded here only.
 *
 * Throws TRUNKSCOPE_STORE_ENGINE_MISSING where chdb is not installed or does not run on this platform.
 */
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type ClickHouseClient, type ClickHouseSettings, createClient } from '@clickhouse/client'

export interface Engine {
  /** For inserts and the recomputation of minutes: the store's own. */
  writer: ClickHouseClient
  /** For raw messages, beside the writer. */
  rawWriter: ClickHouseClient
  /** For the api; a query takes a free one of a few connections. */
  readers: ClickHouseClient[]
  /** Folder the engine may read insert files from. */
  insertFolder: string
  close(): Promise<void>
}

const SETTINGS: ClickHouseSettings = {
  // 26.x defaults to asynchronous inserts; our batches must be stored when the call returns.
  async_insert: 0,
  output_format_json_quote_64bit_integers: 1,
  session_timezone: 'UTC',
  // A hostile spread of capture times must not make an insert fail: the months are bounded by the clamp.
  max_partitions_per_insert_block: '0',
  max_threads: 2,
  // A flush is 50 MB of messages under load: one part, and no larger ones after a long replay.
  min_insert_block_size_bytes: '67108864',
  min_insert_block_size_rows: '100000',
  // What one flush writes holds no row twice; what came again is folded away by merges and by FINAL.
  optimize_on_insert: 0,
}

const READ_LIMITS: ClickHouseSettings = {
  max_execution_time: 30,
  max_memory_usage: '2000000000',
  max_result_rows: '1000000',
} as const

/**
 * The engine holds a thread of libuv's pool for as long as a statement runs, and the spool needs one for its writes: with
 * as many statements as threads a slow query stops capture (measured: a write took 9.5 s). So one thread stays free;
 * UV_THREADPOOL_SIZE (4 unless set) in the environment makes room for more questions at a time.
 */
const WRITERS = 2
const READERS = Math.max(1, Math.min(4, Number(process.env.UV_THREADPOOL_SIZE ?? 4) - WRITERS - 1))

export function openEmbeddedEngine(dataFolder: string): Engine {
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
      clickhouse_settings: { ...SETTINGS, ...settings },
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
