import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addScorecardCommand, type ScorecardCommandOptions } from '../../../bin/commands/scorecard.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-scorecard-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
  }
})
afterEach(() => vi.unstubAllEnvs())

const URL_OF = 'http://127.0.0.1:8080'

async function run(...args: string[]): Promise<ScorecardCommandOptions> {
  let ran: ScorecardCommandOptions | undefined
  const program = new Command('trunkscope')
  const silent = { writeErr: () => {}, writeOut: () => {} }
  program.exitOverride().configureOutput(silent)
  addScorecardCommand(
    program,
    () => {},
    async (options) => {
      ran = options
    },
  )
  for (const command of program.commands) command.exitOverride().configureOutput(silent)
  await program.parseAsync(['scorecard', ...args], { from: 'user' })
  return ran as ScorecardCommandOptions
}

describe('trunkscope scorecard', () => {
  test('takes a running API, or the folder of one that is stopped', async () => {
    expect(await run('--url', `${URL_OF}/`, '--token-file', 'token', '--week', '2026-W47')).toEqual({
      week: '2026-W47',
      carrier: undefined,
      format: 'html',
      outFolder: undefined,
      from: { kind: 'api', url: URL_OF, tokenFile: 'token' },
    })
    expect(
      await run('--data', folder, '--carrier', 'alpha', '--format', 'pdf', '--out', 'here'),
    ).toMatchObject({
      week: undefined,
      carrier: 'alpha',
      format: 'pdf',
      outFolder: 'here',
      from: { kind: 'folder', dataDir: folder },
    })
  })

  test('lets a schedule fire in a running API, and takes nothing beside it', async () => {
    expect(await run('--schedule', 'weekly', '--url', URL_OF)).toMatchObject({
      schedule: 'weekly',
      from: { kind: 'api', url: URL_OF },
    })
    await expect(run('--schedule', 'weekly', '--data', folder)).rejects.toThrow('--url is missing')
    await expect(
      run('--schedule', 'weekly', '--url', URL_OF, '--week', '2026-W47', '-f', 'pdf'),
    ).rejects.toThrow('--week, --format cannot stand beside --schedule')
  })

  test('one of the two, and not both', async () => {
    await expect(run()).rejects.toThrow('--data and --url are missing')
    await expect(run('--url', URL_OF, '--data', folder)).rejects.toThrow('at once')
    await expect(run('--data', folder, '--token-file', 'token')).rejects.toThrow('--token-file is for --url')
    await expect(run('--data', join(folder, 'none'))).rejects.toThrow('There is no folder')
  })

  test('a week is an ISO week, an address has a scheme and no password', async () => {
    await expect(run('--url', URL_OF, '--week', 'last')).rejects.toThrow('for example 2026-W47')
    await expect(run('--url', '127.0.0.1:8080')).rejects.toThrow('Write http://HOST:PORT')
    await expect(run('--url', 'http://a:secret@127.0.0.1')).rejects.toThrow('--token-file')
    await expect(run('--url', URL_OF, '--format', 'doc')).rejects.toThrow('Allowed choices')
  })
})
