import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type AlertsTestOptions, addAlertsCommand } from '../../../bin/commands/alerts.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-alerts-'))
const config = join(folder, 'trunkscope.yaml')
const empty = join(folder, 'empty.yaml')
writeFileSync(config, "sinks:\n  - { id: on-call, type: alertmanager, url: 'http://am.example:9093' }\n")
writeFileSync(empty, 'sinks: []\n')
afterAll(() => rmSync(folder, { recursive: true }))

beforeEach(() => {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('TRUNKSCOPE_')) vi.stubEnv(name, undefined)
  }
})
afterEach(() => vi.unstubAllEnvs())

async function run(...args: string[]): Promise<AlertsTestOptions | undefined> {
  let ran: AlertsTestOptions | undefined
  const program = new Command('trunkscope')
  addAlertsCommand(
    program,
    () => {},
    async (options) => {
      ran = options
    },
  )
  for (const command of [program, ...program.commands, ...program.commands[0]!.commands])
    command.exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} })
  await program.parseAsync(['alerts', ...args], { from: 'user' })
  return ran
}

describe('trunkscope alerts test', () => {
  test('takes a sink of the configuration', async () => {
    expect(await run('test', '--sink', 'on-call', '--config', config)).toMatchObject({
      sink: { id: 'on-call', type: 'alertmanager', url: 'http://am.example:9093' },
    })
  })

  test('a sink that is not there is told, with those that are', async () => {
    await expect(run('test', '--sink', 'oncall', '--config', config)).rejects.toMatchObject({
      message: 'There is no sink oncall.',
      fix: 'Did you mean on-call? The configuration has on-call',
    })
    await expect(run('test', '--sink', 'x', '--config', empty)).rejects.toMatchObject({
      message: 'There is no sink x: the configuration has none.',
      fix: expect.stringContaining('docs/sinks.md'),
    })
  })

  test('wants to know which', async () => {
    await expect(run('test', '--config', config)).rejects.toThrow(
      "required option '--sink <ID>' not specified",
    )
  })
})
