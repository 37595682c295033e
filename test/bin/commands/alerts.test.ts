import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type AlertsTestOptions, addAlertsCommand } from '../../../bin/commands/alerts.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-alerts-'))
const config = join(folder, 'trunkscope.yaml')
const empty = join(folder, 'empty.yaml')
writeFileSync(config, "sinks:\n  - { id: on-call, type: alertmanager, url: 'http://am.example:9093' }\n")
writeFileSync(empty, 'sinks: []\n')
afterAll(() => rmSync(folder, { recursive: true }))

withoutVariables()

const run = (...args: string[]) =>
  givenTo<AlertsTestOptions>(['alerts', ...args], (program, run) => addAlertsCommand(program, () => {}, run))

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
