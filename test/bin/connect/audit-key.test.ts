import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { auditKeys } from '../../../bin/connect/audit-key.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-key-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the key of the audit trail', () => {
  test('is made in the data folder at the first start, for its owner only, and stays', () => {
    const [key, ...others] = auditKeys({ audit: {} }, folder)
    expect(key).toMatch(/^[0-9a-f]{64}$/)
    expect(others).toEqual([])
    expect(statSync(join(folder, 'audit-key')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'audit-key'), 'utf8')).toBe(`${key}\n`)
    expect(auditKeys({ audit: {} }, folder)).toEqual([key])
  })

  test('a configured file comes first; it may hold older keys below the new one', () => {
    const path = join(folder, 'keys')
    writeFileSync(path, `${'n'.repeat(32)}\n\n${'o'.repeat(64)}\n`)
    expect(auditKeys({ audit: { key_file: path } }, folder)).toEqual(['n'.repeat(32), 'o'.repeat(64)])
    expect(auditKeys({ audit: { key_file: path } }, undefined)).toHaveLength(2)
  })

  test('a key that is too short is refused without being repeated', () => {
    const path = join(folder, 'short')
    writeFileSync(path, 'hunter2\n')
    expect(() => auditKeys({ audit: { key_file: path } }, undefined)).toThrow(
      `audit.key_file: secret 1 of ${path} is shorter than 32 characters; make it longer`,
    )
  })

  test('without a folder and a file there is none', () => {
    expect(auditKeys({ audit: {} }, undefined)).toEqual([])
  })
})
