/**
 * The keys of the number digests in the audit trail: the file of `audit.key_file`, one a line, the newest first; or, where
 * there is a data folder and no such file, `audit-key` in it, made at the first start for its owner only.
 *
 * Throws   TRUNKSCOPE_CONFIG_SECRET_FILE when a file cannot be read, or holds a key that is too short.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { secretsOf } from './secret-files.js'

/** 256 bits as hex are 64; half of that is the least that is worth the name. */
const KEY_MIN_CHARS = 32
const FILE = 'audit-key'

/** @param dataDir undefined: a process without one; without `audit.key_file` it has no key, and digests are left out */
export function auditKeys(config: Pick<TrunkscopeConfig, 'audit'>, dataDir: string | undefined): string[] {
  const configured = config.audit.key_file
  if (configured !== undefined) return secretsOf(configured, 'audit.key_file', KEY_MIN_CHARS)
  if (dataDir === undefined) return []
  const path = join(dataDir, FILE)
  if (!existsSync(path))
    writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  return secretsOf(path, 'audit-key', KEY_MIN_CHARS)
}
