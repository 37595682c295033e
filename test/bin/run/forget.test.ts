/** The command as a whole, on a folder of its own: tables, packs, the audit trail, and what it says. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { NumberDigests } from '../../../api/audit/number-digests.js'
import { auditKeys } from '../../../bin/connect/audit-key.js'
import { openEmbeddedEngine } from '../../../bin/connect/clickhouse.js'
import { type ForgetDocument, runForget } from '../../../bin/run/forget.js'
import { applySchema } from '../../../collector/store/schema.js'
import { configSchema } from '../../../schemas/config.js'
import { rowsOf } from '../../support/engine.js'
import { framesOfCall, storeFrames } from '../../support/sip-calls.js'

const NUMBER = '+12025550143'
const CONFIG = configSchema.parse({})
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-forget-'))
const data = join(folder, 'data')
const packs = join(folder, 'packs')

beforeAll(async () => {
  mkdirSync(join(data, 'spool'), { recursive: true })
  mkdirSync(packs)
  writeFileSync(join(data, 'spool', 'segment'), `To: <tel:${NUMBER}>`)
  for (const [name, text] of [
    ['about.zip', NUMBER],
    ['other.zip', '+12025550199'],
  ] as const)
    writeFileSync(join(packs, name), zipSync({ 'attempts.csv': strToU8(text) }))
  const engine = openEmbeddedEngine(data)
  await applySchema(engine.writer, CONFIG.retention)
  const startUs = (Math.floor(Date.now() / 1_000) - 600) * 1e6
  const calls = [NUMBER, '+12025550199'].map((called, at) => ({
    callId: `c${at}`,
    startUs,
    called,
    calling: '+12025550111',
  }))
  await storeFrames(engine, calls.flatMap(framesOfCall), CONFIG)
  await engine.close()
}, 60_000)
afterEach(() => vi.restoreAllMocks())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(more: { dryRun: boolean; json?: boolean }): Promise<string> {
  let printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const options = { config: CONFIG, number: NUMBER, dataDir: data, packsDir: packs, json: true, ...more }
  await runForget(options).finally(() => vi.restoreAllMocks())
  return printed
}

describe('trunkscope forget', () => {
  test('without --yes it tells what it would do, and changes nothing', async () => {
    const text = await run({ dryRun: true, json: false })
    expect(text).toContain('…43 stands in 1 calls')
    expect(text).toMatch(/call_attempts +1 would be blanked/)
    expect(text).toMatch(/packs +1 of 2 would be deleted/)
    expect(text).toContain('call_attempts.called_number: 1 rows')
    expect(text).toContain('1 of the 1 files of the spool hold the number')
    expect(text).toContain('Nothing was changed.')
    expect(text).not.toContain('2025550143')
    expect(existsSync(join(packs, 'about.zip'))).toBe(true)
  })

  test('with --yes it is gone from tables and packs, and the trail says so without the number', async () => {
    const document = JSON.parse(await run({ dryRun: false })) as ForgetDocument
    expect(document).toMatchObject({
      deleted: true,
      calls: 1,
      attempts_blanked: 1,
      messages_deleted: 7,
      places: [],
      old_parts: 0,
      packs: { looked_at: 2, holding: [join(packs, 'about.zip')] },
    })
    expect(existsSync(join(packs, 'about.zip'))).toBe(false)
    expect(existsSync(join(packs, 'other.zip'))).toBe(true)
    const again = JSON.parse(await run({ dryRun: false })) as ForgetDocument
    expect(again).toMatchObject({ calls: 0, attempts_blanked: 0, messages_deleted: 0, places: [] })
    const engine = openEmbeddedEngine(data)
    const rows = await rowsOf<{ filters: string; numbers: string[]; number_digests: string[]; rows: string }>(
      engine.writer,
      "SELECT filters, numbers, number_digests, rows FROM audit_trail FINAL WHERE action = 'forget' ORDER BY at",
    )
    const { digest } = new NumberDigests(auditKeys(CONFIG, data)).of(NUMBER)!
    expect(rows.map(({ filters, rows: count }) => [JSON.parse(filters).step, count])).toEqual([
      ['dry run', '-1'],
      ['begun', '-1'],
      ['done', '1'],
      ['begun', '-1'],
      ['done', '0'],
    ])
    for (const row of rows) expect([row.numbers, row.number_digests]).toEqual([['…43'], [digest]])
    await engine.close()
  }, 90_000)

  test('a pack that cannot be read is an error at the end: the number may be in it', async () => {
    writeFileSync(join(packs, 'broken.zip'), 'x')
    await expect(run({ dryRun: false })).rejects.toMatchObject({ code: 'TRUNKSCOPE_FORGET_NOT_ALL' })
  }, 60_000)
})
