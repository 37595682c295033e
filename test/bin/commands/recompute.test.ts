import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { addRecomputeCommand, type RecomputeCommandOptions } from '../../../bin/commands/recompute.js'
import { givenTo, withoutVariables } from '../../support/command-line.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-recompute-'))
const cluster = join(folder, 'cluster.yaml')
writeFileSync(cluster, 'clickhouse:\n  url: http://127.0.0.1:8123\n')
afterAll(() => rmSync(folder, { recursive: true }))

withoutVariables()

const SPAN = ['--from', '2026-11-20T08:00:00Z', '--to', '2026-11-20T12:00:00Z']

const run = async (...args: string[]) =>
  (await givenTo<RecomputeCommandOptions>(['recompute', ...args], (program, run) =>
    addRecomputeCommand(program, { recompute: run }),
  ))!

describe('trunkscope recompute', () => {
  test('takes a span, and a folder or the ClickHouse server of the configuration', async () => {
    const { fromS, toS, dataDir, dryRun, json, yes } = await run(
      ...SPAN,
      '--data',
      folder,
      '--dry-run',
      '--json',
    )
    expect({ fromS, toS, dataDir }).toEqual({ fromS: 1795161600, toS: 1795176000, dataDir: folder })
    expect({ dryRun, json, yes }).toEqual({ dryRun: true, json: true, yes: false })
    const inCluster = await run(...SPAN, '--config', cluster, '--yes')
    expect(inCluster).toMatchObject({ dataDir: undefined, yes: true, dryRun: false })
    expect(inCluster.config.clickhouse?.url).toBe('http://127.0.0.1:8123')
  })

  test('a span is whole minutes, from the earlier to the later', async () => {
    await expect(
      run('--from', '2026-11-20T08:00:30Z', '--to', '1795176000', '--data', folder),
    ).rejects.toThrow('write a whole one, for example 2026-11-20T08:00:00Z')
    await expect(run('--from', 'yesterday', '--to', '1795176000', '--data', folder)).rejects.toThrow(
      'is not a time',
    )
    await expect(run('--from', '1795176000', '--to', '1795176000', '--data', folder)).rejects.toThrow(
      'is not before',
    )
    await expect(run('--from', '1795176000', '--data', folder)).rejects.toThrow('--to')
  })

  test('without a folder and without a server it says what to give', async () => {
    await expect(run(...SPAN)).rejects.toThrow('names no ClickHouse server')
    await expect(run(...SPAN, '--data', join(folder, 'elsewhere'))).rejects.toThrow('There is no folder')
  })
})
