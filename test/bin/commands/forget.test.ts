import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { addForgetCommand, type ForgetCommandOptions } from '../../../bin/commands/forget.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-forget-'))
const cluster = join(folder, 'cluster.yaml')
writeFileSync(cluster, 'clickhouse:\n  url: http://127.0.0.1:8123\n')
afterAll(() => rmSync(folder, { recursive: true }))

withoutVariables()

const run = async (...args: string[]) =>
  (await givenTo<ForgetCommandOptions>(['forget', ...args], (program, run) =>
    addForgetCommand(program, run),
  ))!

describe('trunkscope forget', () => {
  test('changes nothing without --yes', async () => {
    const asked = await run('--number', '+12025550143', '--data', folder)
    expect(asked).toMatchObject({
      number: '+12025550143',
      dataDir: folder,
      dryRun: true,
      packsDir: undefined,
    })
    expect((await run('--number', '+12025550143', '--data', folder, '--yes')).dryRun).toBe(false)
    await expect(run('--number', '+12025550143', '--data', folder, '--yes', '--dry-run')).rejects.toThrow(
      'contradict',
    )
  })

  test('takes a folder, or the server of the configuration', async () => {
    expect((await run('--number', '+12025550143', '--config', cluster)).dataDir).toBeUndefined()
    await expect(run('--number', '+12025550143')).rejects.toThrow('does not know where the calls are')
    await expect(run('--number', '+12025550143', '--data', join(folder, 'none'))).rejects.toThrow('no folder')
    await expect(run('--number', '+12025550143', '--data', folder, '--packs', cluster)).rejects.toThrow(
      'no folder',
    )
  })

  test.each(['*0143', 'alice', '', '+', '12'.repeat(40)])('wants a whole number, not %s', async (number) => {
    await expect(run('--number', number, '--data', folder)).rejects.toThrow('Write the whole number')
  })
})
