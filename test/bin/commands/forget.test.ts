import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { addForgetCommand, type ForgetCommandOptions } from '../../../bin/commands/forget.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-forget-'))
const cluster = join(folder, 'cluster.yaml')
writeFileSync(cluster, 'clickhouse:\n  url: http://127.0.0.1:8123\n')
afterAll(() => rmSync(folder, { recursive: true }))

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
  }
})
afterEach(() => vi.unstubAllEnvs())

async function run(...args: string[]): Promise<ForgetCommandOptions> {
  let ran: ForgetCommandOptions | undefined
  const program = new Command('trunkscope')
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
  addForgetCommand(program, async (options) => {
    ran = options
  })
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} })
  await program.parseAsync(['forget', ...args], { from: 'user' })
  return ran as ForgetCommandOptions
}

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
