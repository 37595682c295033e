/**
 * A folder as a sink: the documents of a scorecard as files in it.
 *
 * A file is written beside its place and renamed into it, so nobody ever reads a part of one, and is on the disk before the
 * delivery counts as made. One of the same name with other content is replaced. The folder itself is not made: where a disk is not
 * mounted there must not be a folder that looks like it.
 *
 * Takes    the folder, and a notice; reads the bodies from the store.
 * Returns  an answer as that of a sink: what somebody can mend (folder missing, disk full) is tried again, a document that is not
 *          kept any more is refused.
 * Throws   nothing.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Notice, ScorecardDocument } from '../../../schemas/alert-hook.js'
import { readBody } from '../../scorecards/documents.js'
import type { Outcome } from './post.js'

export type FileWriter = (folder: string, notice: Notice) => Promise<Outcome>

/** Names of ours: what a carrier is called is an id of the configuration. */
const FILE_NAME = /^scorecards?-[A-Za-z0-9_-]{1,150}\.[a-z]{3,4}$/

const DONE: Outcome = { kind: 'answered', status: 200, retryAfterMs: undefined }

export function fileWriter(client: ClickHouseClient): FileWriter {
  return async (folder, notice) => {
    if (notice.kind !== 'scorecard') return { kind: 'refused', sentence: 'a folder takes scorecards only' }
    for (const document of notice.documents) {
      const answer = await writeOne(client, folder, document)
      if (answer !== DONE) return answer
    }
    return DONE
  }
}

async function writeOne(
  client: ClickHouseClient,
  folder: string,
  { id, file_name: name, sha256 }: ScorecardDocument,
): Promise<Outcome> {
  if (!FILE_NAME.test(name)) return { kind: 'refused', sentence: 'the document has no name of ours' }
  let body: Buffer | undefined
  try {
    body = await readBody(client, id)
  } catch {
    return { kind: 'failed', sentence: 'the store does not give the document' }
  }
  if (body === undefined) return { kind: 'refused', sentence: 'the document is not kept any more' }
  if (hashOf(body) !== sha256)
    return { kind: 'refused', sentence: 'the document is not the one that was told' }
  try {
    await writeFileWhole(folder, name, body)
    return DONE
  } catch (error) {
    return { kind: 'failed', sentence: `${folder} ${wordsOf(error)}` }
  }
}

export async function writeFileWhole(folder: string, name: string, body: Buffer): Promise<void> {
  const target = join(folder, name)
  // A file that stands already was put there by a try whose note was lost, or by the other of two processes.
  if (await isThere(target, body)) return
  const part = join(folder, `.${name}.${process.pid}.part`)
  try {
    await rm(part, { force: true })
    const file = await open(part, 'wx', 0o600)
    try {
      await file.writeFile(body)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(part, target)
  } catch (error) {
    await rm(part, { force: true }).catch(() => {})
    throw error
  }
  const opened = await open(folder, constants.O_RDONLY)
  await opened.sync().finally(() => opened.close())
}

async function isThere(path: string, body: Buffer): Promise<boolean> {
  try {
    return body.equals(await readFile(path))
  } catch {
    return false
  }
}

const hashOf = (body: Buffer) => createHash('sha256').update(body).digest('hex')

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist; make it, or mount the disk',
  ENOTDIR: 'is no folder',
  EACCES: 'may not be written; give the user that runs Trunkscope the right to',
  EPERM: 'may not be written; give the user that runs Trunkscope the right to',
  EROFS: 'is on a disk that is mounted read-only',
  ENOSPC: 'is on a disk that is full',
  EDQUOT: 'is on a disk whose quota is used up',
  EISDIR: 'holds a folder with the name of a document',
}

function wordsOf(error: unknown): string {
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  return WORDS[code] ?? `cannot be written (${code})`
}
