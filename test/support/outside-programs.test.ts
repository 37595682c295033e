import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { missingPrograms, needs, programPath } from './outside-programs.js'

// Inside the repository, so that the tests in it find vitest.
const folder = mkdtempSync(join('test', 'support', 'outside-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(
  join(folder, 'example.test.ts'),
  `import { needs } from '../outside-programs.js'
   needs('node', 'no-such-program', 'nor-this')('an example', () => { throw new Error('was run') })`,
)

function runExample(requireAll: string) {
  const { status, stdout } = spawnSync('npx', ['vitest', 'run', join(folder, 'example.test.ts')], {
    encoding: 'utf8',
    env: { ...process.env, TRUNKSCOPE_REQUIRE_ALL: requireAll, NO_COLOR: '1', FORCE_COLOR: undefined },
  })
  return { status, stdout }
}

describe('outside programs', () => {
  test('a program on the path is found, and a missing one is named', () => {
    expect(programPath('node')).toMatch(/\/node$/)
    expect(missingPrograms('node', 'no-such-program')).toEqual(['no-such-program'])
  })

  let ran = false
  needs('node')('a test whose programs are there is run', () => {
    ran = true
  })
  test('and really was', () => expect(ran).toBe(true))

  test('a test whose program is missing is not run, and says what it needs', () => {
    const { status, stdout } = runExample('')
    expect(stdout).toContain('not run: needs no-such-program and nor-this')
    expect(stdout).toContain('1 skipped')
    expect(status).toBe(0)
  })

  test('in CI a missing program is a failure', () => {
    const { status, stdout } = runExample('1')
    expect(stdout).toContain('1 failed')
    expect(status).toBe(1)
  })
})
