/**
 * The spool folder as seen through the file system: segment files, the cursor, the boot id. Everything the spool
 * asks of the disk goes through `SpoolDisk`, so that tests can hand in one that is full or broken.
 */
import { constants } from 'node:fs'
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { join } from 'node:path'
import { CaptureError } from './capture-error.js'
import { segmentName, segmentStart } from './spool-format.js'

/** What the writer does to a segment; a `FileHandle` fits. */
export type SegmentFile = Pick<FileHandle, 'writev' | 'datasync' | 'truncate' | 'close'>

export interface SpoolDisk {
  /** Creates a new segment, which must not exist, with mode 0600. */
  createSegment(path: string): Promise<SegmentFile>
  unlink(path: string): Promise<void>
  /** Makes created and deleted names durable. */
  syncFolder(path: string): Promise<void>
}

export const realDisk: SpoolDisk = {
  createSegment: (path) => open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600),
  unlink,
  async syncFolder(path) {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },
}

export interface SegmentEntry {
  start: number
  bytes: number
}

export async function makeSpoolFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
  } catch (error) {
    throw new CaptureError(
      'TRUNKSCOPE_SPOOL_OPEN_FAILED',
      `Cannot use ${folder} for the spool (${(error as NodeJS.ErrnoException).code}). Choose a folder this program may ` +
        'write to.',
      { cause: error },
    )
  }
}

/** Start positions of the segments, ascending. */
export async function listSegmentStarts(folder: string): Promise<number[]> {
  const starts: number[] = []
  for (const name of await readdir(folder)) {
    const start = segmentStart(name)
    if (start !== undefined) starts.push(start)
  }
  return starts.sort((a, b) => a - b)
}

export async function listSegments(folder: string): Promise<SegmentEntry[]> {
  const segments: SegmentEntry[] = []
  for (const start of await listSegmentStarts(folder)) {
    segments.push({ start, bytes: (await stat(join(folder, segmentName(start)))).size })
  }
  return segments
}

export interface Cursor {
  position: number
  bootId: string
  /** What the broker had acknowledged by then: how it shows that it lost its log, also to the next process. */
  acknowledged?: AcknowledgedOffsets | undefined
}

export interface AcknowledgedOffsets {
  topic: string
  /** By partition. */
  offsets: Record<string, number>
}

/** The committed position; undefined when there is none, or when the file makes no sense. */
export async function readCursor(folder: string): Promise<Cursor | undefined> {
  try {
    const {
      position,
      boot_id: bootId,
      acknowledged,
    } = JSON.parse(await readFile(join(folder, 'cursor.json'), 'utf8'))
    if (!Number.isSafeInteger(position) || position < 0 || typeof bootId !== 'string') return undefined
    return isAcknowledged(acknowledged) ? { position, bootId, acknowledged } : { position, bootId }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

function isAcknowledged(value: unknown): value is AcknowledgedOffsets {
  const { topic, offsets } = (value ?? {}) as Partial<AcknowledgedOffsets>
  if (typeof topic !== 'string' || typeof offsets !== 'object' || offsets === null) return false
  return Object.entries(offsets).every(
    ([partition, offset]) => /^\d+$/.test(partition) && Number.isSafeInteger(offset),
  )
}

/** Written beside, synced, and renamed over the old one: a reader sees the old cursor or the new one. */
export async function writeCursor(folder: string, cursor: Cursor): Promise<void> {
  const path = join(folder, 'cursor.json')
  const file = await open(`${path}.tmp`, 'w', 0o600)
  try {
    const { position, bootId, acknowledged } = cursor
    await file.writeFile(`${JSON.stringify({ position, boot_id: bootId, acknowledged })}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
  await realDisk.syncFolder(folder)
}

/** Changes with every start of the host; '' where the system does not tell. */
export async function readBootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch {
    return ''
  }
}
