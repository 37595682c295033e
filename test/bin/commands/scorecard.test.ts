import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { addScorecardCommand, type ScorecardCommandOptions } from '../../../bin/commands/scorecard.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-scorecard-'))
afterAll(() => rmSync(folder, { recursive: true }))
withoutVariables()

const URL_OF = 'http://127.0.0.1:8080'

const run = async (...args: string[]) =>
  (await givenTo<ScorecardCommandOptions>(['scorecard', ...args], (program, run) =>
    addScorecardCommand(program, () => {}, run),
  ))!

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
