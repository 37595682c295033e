import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { addPackCommand, type PackCommandOptions } from '../../../bin/commands/pack.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-pack-'))
afterAll(() => rmSync(folder, { recursive: true }))
withoutVariables()

const URL_OF = 'http://127.0.0.1:8080'
const WINDOW = ['--from', '2026-11-20T00:00:00Z', '--to', '2026-11-21T00:00:00Z', '--class', '5xx,503']
const ASKED = ['--carrier', 'alpha', ...WINDOW]

const run = async (...args: string[]) =>
  (await givenTo<PackCommandOptions>(['pack', ...args], (program, run) =>
    addPackCommand(program, () => {}, run),
  ))!

describe('trunkscope pack', () => {
  test('takes a running API, or the folder of one that is stopped', async () => {
    expect(await run(...ASKED, '--url', `${URL_OF}/`, '--token-file', 'token', '--out', 'pack.zip')).toEqual({
      carrier: 'alpha',
      from: '2026-11-20T00:00:00Z',
      to: '2026-11-21T00:00:00Z',
      classes: '5xx,503',
      asOf: undefined,
      calls: 20,
      outFile: 'pack.zip',
      source: { kind: 'api', url: URL_OF, tokenFile: 'token' },
    })
    expect(await run(...ASKED, '--data', folder, '--calls', '1000', '--as-of', '1795200000')).toMatchObject({
      calls: 1_000,
      asOf: '1795200000',
      outFile: undefined,
      source: { kind: 'folder', dataDir: folder },
    })
  })

  test('one of the two, and not both', async () => {
    await expect(run(...ASKED)).rejects.toThrow('--data and --url are missing')
    await expect(run(...ASKED, '--url', URL_OF, '--data', folder)).rejects.toThrow('at once')
    await expect(run(...ASKED, '--data', folder, '--token-file', 't')).rejects.toThrow(
      '--token-file is for --url',
    )
    await expect(run(...ASKED, '--data', join(folder, 'none'))).rejects.toThrow('There is no folder')
  })

  test('what is missing or makes no sense is refused before anything is asked', async () => {
    await expect(run(...WINDOW, '--url', URL_OF)).rejects.toThrow("'--carrier <ID>' not specified")
    await expect(run('--carrier', 'alpha', '--url', URL_OF)).rejects.toThrow("'--from <TIME>' not specified")
    for (const calls of ['1001', '-1', 'all', '1.5']) {
      await expect(run(...ASKED, '--url', URL_OF, '--calls', calls), calls).rejects.toThrow('from 0 to 1000')
    }
    await expect(run(...ASKED, '--url', 'ftp://x')).rejects.toThrow('Write http://HOST:PORT')
    await expect(run(...ASKED, '--url', 'http://a:b@x')).rejects.toThrow('No password belongs here')
  })
})
