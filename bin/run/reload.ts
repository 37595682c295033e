/**
 * SIGHUP: reads the configuration again and takes over what can change while the process runs. A file with a mistake, or
 * a change that cannot be taken over, leaves everything as it was and says so. One at a time: signals that come while a
 * reload is under way make one more behind it, so that the last state of the file is the one that holds.
 *
 * Takes    `read` gives the checked configuration or throws; `apply` takes it over and resolves with what it could not do,
 *          or throws and has changed nothing.
 * Returns  a function that leaves SIGHUP alone again.
 * Throws   nothing: every outcome is a line of the log.
 */
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Log } from './log.js'

export interface ReloadOptions {
  /** Undefined: the process runs without a file, and there is nothing to read again. */
  configPath: string | undefined
  read: () => TrunkscopeConfig
  apply: (config: TrunkscopeConfig) => Promise<readonly string[]>
  log: Log
}

export function reloadOnHup(options: ReloadOptions): () => void {
  let isRunning = false
  let isWanted = false
  const onHup = async () => {
    isWanted = true
    if (isRunning) return
    isRunning = true
    while (isWanted) {
      isWanted = false
      await reloadOnce(options)
    }
    isRunning = false
  }
  process.on('SIGHUP', onHup)
  return () => process.off('SIGHUP', onHup)
}

export async function reloadOnce({ apply, configPath, log, read }: ReloadOptions): Promise<void> {
  if (configPath === undefined) {
    log('warn', 'SIGHUP: there is no configuration file to read again; start with --config to have one')
    return
  }
  try {
    const notices = await apply(read())
    for (const notice of notices) log('warn', notice)
    log('info', `SIGHUP: ${configPath} was read again and holds from now on`)
  } catch (error) {
    const { message } = error as Error
    log('error', `SIGHUP: ${configPath} was not taken over, everything stays as it was: ${message}`)
  }
}
