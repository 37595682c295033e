/**
 * What lies on disk: the data folder and the room it has, certificates, and the files that hold secrets. Nothing is written;
 * whether a folder could be is asked of the system.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { type Finding, fail, ok, sizeText, warn } from './finding.js'

const DAY_MS = 86_400_000
/** Less than this and nothing can be written for long: segments of the spool, merges of the engine. */
const FREE_MIN_BYTES = 268_435_456
/** A folder with more files than this is not measured: the check has seconds. */
const FILES_MAX = 50_000

export interface DiskSources {
  freeBytes(folder: string): Promise<number>
  nowMs(): number
}

const DISK_SOURCES: DiskSources = {
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  },
  nowMs: Date.now,
}

export async function checkData(
  folder: string,
  config: Pick<TrunkscopeConfig, 'spool' | 'retention'>,
  sources: Partial<DiskSources> = {},
): Promise<Finding[]> {
  const path = resolve(folder)
  const existing = nearestFolder(path)
  const placeFix =
    'Choose another with --data DIR, or give the user that runs Trunkscope the right to write there'
  try {
    if (!statSync(existing).isDirectory()) throw new Error(`${existing} is a file`)
    accessSync(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    return [fail('data folder', `${path} cannot be made or written (${reason})`, placeFix)]
  }
  const folderFinding = ok(
    'data folder',
    existing === path ? `${path} can be written` : `${path} will be made`,
  )
  return [folderFinding, await checkRoom(path, existing, config, { ...DISK_SOURCES, ...sources })]
}

async function checkRoom(
  path: string,
  existing: string,
  config: Pick<TrunkscopeConfig, 'spool' | 'retention'>,
  sources: DiskSources,
): Promise<Finding> {
  const freeBytes = await sources.freeBytes(existing)
  const spoolBytes = (await bytesIn(join(path, 'spool'))) ?? 0
  const spoolGrowthBytes = Math.max(0, config.spool.size_max_bytes - spoolBytes)
  const growth = await storedGrowth(path, config.retention.raw_days, sources.nowMs())
  const neededBytes = spoolGrowthBytes + (growth ?? 0)
  const needs =
    `the spool may grow by ${sizeText(spoolGrowthBytes)}` +
    (growth === undefined
      ? ''
      : `, what is stored by ${sizeText(growth)} until ${config.retention.raw_days} days are kept`)
  const sentence = `${sizeText(freeBytes)} free; ${needs}`
  const fix =
    'Make room, or lower spool.size_max_bytes or retention.raw_days, or use a larger disk with --data DIR'
  if (freeBytes < FREE_MIN_BYTES) return fail('disk', sentence, fix)
  return freeBytes < neededBytes ? warn('disk', sentence, fix) : ok('disk', sentence)
}

/** At the pace so far, which a first day does not show. */
async function storedGrowth(path: string, rawDays: number, nowMs: number): Promise<number | undefined> {
  const folder = join(path, 'clickhouse')
  const storedBytes = await bytesIn(folder)
  if (storedBytes === undefined) return undefined
  const { birthtimeMs } = await stat(folder)
  const ageDays = (nowMs - birthtimeMs) / DAY_MS
  if (birthtimeMs === 0 || ageDays < 1) return undefined
  return (storedBytes / ageDays) * Math.max(0, rawDays - ageDays)
}

async function bytesIn(folder: string): Promise<number | undefined> {
  try {
    const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    )
    if (entries.length > FILES_MAX) return undefined
    let bytes = 0
    for (const entry of entries) {
      // Merged away since the listing: nothing to count.
      bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
    }
    return bytes
  } catch {
    return undefined
  }
}

function nearestFolder(path: string): string {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      statSync(folder)
      return folder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === dirname(folder)) return folder
    }
  }
}

const EXPIRY_NOTICE_DAYS = 30

export interface CertificateFiles {
  cert_file: string
  key_file: string
  client_ca_file?: string | undefined
}

/** Certificate and key of HEP over TLS: readable, made for each other, valid, not about to expire. */
export function checkCertificates(files: CertificateFiles, nowMs = Date.now()): Finding[] {
  const findings = [certificate('tls certificate', files.cert_file, nowMs, files.key_file)]
  if (files.client_ca_file !== undefined)
    findings.push(certificate('tls client ca', files.client_ca_file, nowMs))
  return findings
}

function certificate(name: string, file: string, nowMs: number, keyFile?: string): Finding {
  let read: X509Certificate
  try {
    read = new X509Certificate(readFileSync(file))
  } catch (error) {
    return fail(
      name,
      `${file} is no certificate that can be read: ${reasonOf(error)}`,
      'Write it as PEM; check path and rights',
    )
  }
  if (keyFile !== undefined) {
    try {
      if (!read.checkPrivateKey(createPrivateKey(readFileSync(keyFile)))) {
        return fail(name, `${keyFile} is not the key of ${file}`, 'Name the two that were made together')
      }
    } catch (error) {
      return fail(
        name,
        `${keyFile} is no key that can be read: ${reasonOf(error)}`,
        'Write it as PEM, without a passphrase; check path and rights',
      )
    }
  }
  return validity(name, file, read, nowMs)
}

function validity(
  name: string,
  file: string,
  { validFrom, validTo }: X509Certificate,
  nowMs: number,
): Finding {
  if (nowMs < Date.parse(validFrom)) {
    return fail(
      name,
      `${file} is valid from ${validFrom} only`,
      'Look at the clock of this machine, or at the certificate',
    )
  }
  const days = Math.floor((Date.parse(validTo) - nowMs) / DAY_MS)
  const renew = 'Renew it; a running capture reads it again on SIGHUP'
  if (days < 0) return fail(name, `${file} expired on ${validTo}`, renew)
  if (days < EXPIRY_NOTICE_DAYS) return warn(name, `${file} expires in ${days} days, on ${validTo}`, renew)
  return ok(name, `${file} is valid until ${validTo}`)
}

/** Every file that the configuration names to hold a secret. */
export function checkSecretFiles(config: object): Finding[] {
  return secretFilesOf(config, '').map(({ key, file }) => {
    const name = 'secret file'
    try {
      const { mode } = statSync(file)
      if (readFileSync(file, 'utf8').trim() === '') {
        return fail(name, `${key}: ${file} is empty`, 'Write the secret into it')
      }
      if ((mode & 0o007) === 0) return ok(name, `${key}: ${file} can be read, and not by everybody`)
      return warn(name, `${key}: everybody on this machine can read ${file}`, `chmod o-rwx ${file}`)
    } catch (error) {
      return fail(name, `${key}: ${file} cannot be read (${reasonOf(error)})`, 'Check path and rights')
    }
  })
}

function secretFilesOf(block: object, path: string): { key: string; file: string }[] {
  return Object.entries(block).flatMap(([key, value]) => {
    const full = path === '' ? key : `${path}.${key}`
    if (typeof value === 'string') {
      return /(^|_)(password|key|tokens?)_file$/.test(key) ? [{ key: full, file: value }] : []
    }
    return typeof value === 'object' && value !== null ? secretFilesOf(value, full) : []
  })
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message
}
