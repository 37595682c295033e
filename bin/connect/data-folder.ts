/**
 * The data folder of one process, and the lock that keeps a second one out.
 *
 * Takes    the path of a folder; it is made, for its owner only, when it is not there.
 * Returns  its absolute path, and `release`, which gives the lock back.
 * Throws   DataFolderError: TRUNKSCOPE_DATA_IN_USE names the process that has it; TRUNKSCOPE_DATA_UNUSABLE when it cannot
 *          be made or written.
 *
 * A lock is a file `lock-<n>` that says whose it is: process id, its start time and the boot it runs in, so that neither
 * a process killed with -9 nor a reboot nor a reused process id keeps the folder shut. A lock file is never taken from
 * its owner and never reused: who finds the highest one dead or released makes the next number, which only one can
 * (link(2) fails if it exists). The owner of the highest number has the folder. Invariant: the highest number never
 * disappears, only lower ones are removed; so whoever was slow, and made a number that had already been passed, sees a
 * higher one when it looks again, and steps back.
 *
 * Not seen from here: a process in another container or on another machine that shares the folder over a network. The
 * engine has a lock of its own that refuses a second opener on the same machine.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface DataFolder {
  path: string
  /** Gives the lock back; a second call does nothing. */
  release(): void
}

export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'

  constructor(
    readonly code: 'TRUNKSCOPE_DATA_IN_USE' | 'TRUNKSCOPE_DATA_UNUSABLE',
    message: string,
    readonly fix: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

interface Owner {
  pid: number
  /** Clock ticks since boot, '' where the system does not tell. */
  startTime: string
  bootId: string
  /** Makes the lock of a process distinct from its own earlier ones. */
  token: string
}

export function openDataFolder(folder: string): DataFolder {
  const path = resolve(folder)
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return { path, release: takeLock(path) }
  } catch (cause) {
    if (cause instanceof DataFolderError) throw cause
    const code = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message
    throw new DataFolderError(
      'TRUNKSCOPE_DATA_UNUSABLE',
      `The data folder ${path} cannot be made or written (${code}).`,
      'Choose another with --data DIR, or give the user that runs Trunkscope the right to write there',
      { cause },
    )
  }
}

function takeLock(folder: string): () => void {
  const owner: Owner = {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    bootId: bootId(),
    token: randomBytes(8).toString('hex'),
  }
  for (;;) {
    const highest = lockNumbers(folder).at(-1) ?? 0
    const holder = highest === 0 ? undefined : readLock(folder, highest)
    if (holder === 'passed') continue
    if (holder !== undefined && isAlive(holder)) throw inUse(folder, holder)
    if (!makeLock(folder, highest + 1, owner)) continue
    const numbers = lockNumbers(folder)
    if (numbers.at(-1) !== highest + 1) {
      // Others went past while we looked: this number was removed before we made it again.
      rmSync(lockPath(folder, highest + 1), { force: true })
      continue
    }
    for (const number of numbers) if (number <= highest) rmSync(lockPath(folder, number), { force: true })
    for (const name of readdirSync(folder))
      if (name.startsWith(DRAFT)) rmSync(join(folder, name), { force: true })
    return () => releaseLock(folder, highest + 1, owner)
  }
}

function inUse(folder: string, holder: Owner): DataFolderError {
  const isOurs = holder.pid === process.pid
  return new DataFolderError(
    'TRUNKSCOPE_DATA_IN_USE',
    isOurs
      ? `This process (${holder.pid}) already uses the data folder ${folder}.`
      : `Another Trunkscope, process ${holder.pid}, uses the data folder ${folder}.`,
    isOurs
      ? 'Give each its own with --data DIR'
      : `Stop it first (kill ${holder.pid} lets it finish what it accepted), or give this one a folder of its own with --data DIR`,
  )
}

const DRAFT = 'lock-draft-'
const LOCK_NAME = /^lock-(\d{1,15})$/

function lockPath(folder: string, number: number): string {
  return join(folder, `lock-${number}`)
}

/** Ascending. */
function lockNumbers(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** The owner; undefined for a released or damaged lock; 'passed' when a higher one has replaced it. */
function readLock(folder: string, number: number): Owner | undefined | 'passed' {
  let text: string
  try {
    text = readFileSync(lockPath(folder, number), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'passed'
    throw error
  }
  try {
    const owner = JSON.parse(text) as Owner | null
    return typeof owner?.pid === 'number' ? owner : undefined
  } catch {
    // Files are linked when they are complete: only a power cut leaves a damaged one, and its owner is gone.
    return undefined
  }
}

/** Makes the lock with its whole text at once. False when it exists. */
function makeLock(folder: string, number: number, owner: Owner): boolean {
  const draft = join(folder, DRAFT + owner.token)
  writeFileSync(draft, JSON.stringify(owner), { flag: 'wx', mode: 0o600 })
  try {
    linkSync(draft, lockPath(folder, number))
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // ENOENT: the owner of a new lock has just cleared away all drafts, ours too.
    if (code === 'EEXIST' || code === 'ENOENT') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The file stays, so that its number does; its text says that nobody has it. */
function releaseLock(folder: string, number: number, owner: Owner): void {
  const holder = readLock(folder, number)
  if (typeof holder !== 'object' || holder.token !== owner.token) return
  const draft = join(folder, DRAFT + owner.token)
  writeFileSync(draft, 'null', { mode: 0o600 })
  renameSync(draft, lockPath(folder, number))
}

function isAlive(owner: Owner): boolean {
  if (owner.bootId !== bootId()) return false
  const startTime = startTimeOf(owner.pid)
  if (startTime !== undefined && owner.startTime !== '') return startTime === owner.startTime
  if (owner.startTime !== '') return false
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    // Not ours to signal, but there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Start of a living process in clock ticks since boot: field 22 of /proc/<pid>/stat (proc(5)). Undefined for one that is
 * not there, or is dead and not yet reaped, and on systems without /proc.
 */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Field 2, the name, stands in parentheses and may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTime] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' ? undefined : startTime
  } catch {
    return undefined
  }
}

/** Changes at every boot; '' on systems that do not tell. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
