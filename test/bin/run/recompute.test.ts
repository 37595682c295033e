/** The command as a whole, on the real capture in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openDataFolder } from '../../../bin/connect/data-folder.js'
import { runRecompute } from '../../../bin/run/recompute.js'
import type { RecomputeReport } from '../../../bin/run/recompute-report.js'
import type { TrunkscopeConfig } from '../../../schemas/config.js'
import { truth } from '../../support/real-capture.js'
import { config, replayCapture } from '../../support/replayed-capture.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-recompute-'))
/** The peers of bravo turn out to be alpha's. */
const OTHER: TrunkscopeConfig = {
  ...config,
  carriers: [{ id: 'alpha', peers: config.carriers.flatMap(({ peers }) => peers) }],
}
const SPAN = { fromS: 60, toS: Math.floor(Date.now() / 60_000) * 60 }

let printed = ''
beforeAll(() => replayCapture(folder))
afterEach(() => vi.restoreAllMocks())
afterAll(() => rmSync(folder, { recursive: true }))

async function run(config: TrunkscopeConfig, more: { dryRun?: boolean; yes?: boolean; json?: boolean } = {}) {
  printed = ''
  const take = (text: unknown) => {
    printed += String(text)
    return true
  }
  vi.spyOn(process.stdout, 'write').mockImplementation(take)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const flags = { dryRun: false, yes: false, json: true, ...more }
  await runRecompute({ config, ...SPAN, dataDir: folder, ...flags }).finally(() => vi.restoreAllMocks())
  return flags.json ? (JSON.parse(printed) as RecomputeReport) : undefined
}

describe('trunkscope recompute', () => {
  const { alpha, bravo } = truth()

  test('a dry run tells what moves, swapping makes it so, and then nothing moves', async () => {
    const dry = await run(OTHER, { dryRun: true })
    expect(dry).toMatchObject({ swapped: false, attempts: { changed: bravo.attempts, kept_raw_expired: 0 } })
    expect(dry?.carriers).toMatchObject([
      { carrier: 'alpha', attempts: { before: alpha.attempts, after: alpha.attempts + bravo.attempts } },
      { carrier: 'bravo', attempts: { before: bravo.attempts, after: 0 } },
    ])
    const asr = dry?.carriers[0]?.kpis.find(({ kpi }) => kpi === 'asr')
    expect(asr).toMatchObject({
      before: { numerator: alpha.answered, denominator: alpha.attempts },
      after: { numerator: alpha.answered + bravo.answered, denominator: alpha.attempts + bravo.attempts },
    })
    expect(await run(OTHER, { yes: true })).toMatchObject({ swapped: true, carriers: dry?.carriers })
    expect(await run(OTHER, { yes: true })).toMatchObject({
      swapped: true,
      carriers: [],
      attempts: { changed: 0 },
    })
  })

  test('as text it names carrier, KPI, both values with their n, and the difference', async () => {
    await run(config, { dryRun: true, json: false })
    expect(printed).toMatch(/^alpha: attempts \d+ → \d+$/m)
    expect(printed).toMatch(
      /^ {2}asr +\d+\.\d\d % \(\d+\/\d+\) +→ +\d+\.\d\d % \(\d+\/\d+\) +[+−]\d+\.\d\d points$/m,
    )
    expect(printed).toContain('Nothing was changed.')
  })

  test('where nobody can be asked it wants --yes or --dry-run', async () => {
    await expect(run(config)).rejects.toMatchObject({ code: 'TRUNKSCOPE_RECOMPUTE_NOT_CONFIRMED' })
  })

  test('a folder in use is refused', async () => {
    const used = openDataFolder(folder)
    await expect(run(config, { dryRun: true })).rejects.toMatchObject({ code: 'TRUNKSCOPE_DATA_IN_USE' })
    used.release()
  })
})
