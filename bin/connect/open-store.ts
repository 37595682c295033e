// tidy: tested by test/bin/run/recompute.test.ts
/**
 * The store as a command has it that runs and ends: the folder of a stopped `trunkscope start`, or the server of a cluster. It
 * is given back whatever happens in between.
 *
 * Throws   what the work throws; TRUNKSCOPE_DATA_IN_USE while a process has the folder; without folder and server
 *          TRUNKSCOPE_CONFIG_BLOCK_MISSING.
 */
import { applySchema, checkSchema } from '../../collector/store/schema.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { type Engine, openEmbeddedEngine, openServer } from './clickhouse.js'
import { openDataFolder } from './data-folder.js'
import { needed } from './needed.js'

/** Nobody else has the folder meanwhile, and its tables are those of this version. */
export async function withFolder<Result>(
  dataDir: string,
  config: TrunkscopeConfig,
  work: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const folder = openDataFolder(dataDir)
  try {
    const engine = openEmbeddedEngine(folder.path)
    try {
      await applySchema(engine.writer, config.retention)
      return await work(engine)
    } finally {
      await engine.close()
    }
  } finally {
    folder.release()
  }
}

/** @param command in whose name a cluster is missing, where no folder is named */
export async function withStore(
  { config, dataDir }: { config: TrunkscopeConfig; dataDir: string | undefined },
  command: string,
  work: (engine: Engine) => Promise<void>,
): Promise<void> {
  if (dataDir !== undefined) return withFolder(dataDir, config, work)
  const engine = await openServer(needed(config, 'clickhouse', command), 'store')
  try {
    await checkSchema(engine.writer)
    await work(engine)
  } finally {
    await engine.close()
  }
}
