import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { describe, expect } from 'vitest'
import { needsAll } from '../support/outside-programs.js'

const COMMAND = 'dist/bin/trunkscope.js'
const test = needsAll(existsSync(COMMAND) ? [] : ['npm run build'])

function run(args: string[], env: Record<string, string> = {}) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TRUNKSCOPE_')),
  )
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    encoding: 'utf8',
    env: { ...clean, ...env },
  })
  return { status, stdout, stderr }
}

describe('the command trunkscope', () => {
  test('is executable', () => {
    expect(statSync(COMMAND).mode & 0o111).not.toBe(0)
  })

  test('explains itself on stdout', () => {
    const { status, stdout, stderr } = run(['--help'])
    expect(status).toBe(0)
    expect(stdout).toContain('trunkscope demo')
    expect(stderr).toBe('')
  })

  test('a wrong command line ends with 2, and says on stderr what to write', () => {
    const { status, stdout, stderr } = run(['start', '--http', '0.0.0.0:8080'])
    expect(status).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^error TRUNKSCOPE_API_TOKEN_REQUIRED: .*\nMake one with: /)
    expect(stderr).not.toMatch(/^ {4}at /m)
  })

  test('a variable of the configuration reaches it, and a bad one ends with 2', () => {
    const { status, stderr } = run(['start'], { TRUNKSCOPE_RETENTION_RAW_DAYS: 'forever' })
    expect(status).toBe(2)
    expect(stderr).toContain('environment TRUNKSCOPE_RETENTION_RAW_DAYS: retention.raw_days: is "forever"')
  })

  test('TRUNKSCOPE_DEBUG=1 adds the stack', () => {
    const { stderr } = run(['replay', '/nowhere.hep', '--data', 'x'], { TRUNKSCOPE_DEBUG: '1' })
    expect(stderr).toMatch(/^ {4}at /m)
  })
})
