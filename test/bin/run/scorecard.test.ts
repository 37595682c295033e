/** The command as a whole: a folder with a real capture, and an API on a socket. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Readers } from '../../../api/readers.js'
import { type Scheduling, startScheduling } from '../../../api/scorecards/scheduling.js'
import { type Scorecard, scorecard } from '../../../api/scorecards/scorecard.js'
import { weekAt } from '../../../api/scorecards/week.js'
import type { ScorecardCommandOptions } from '../../../bin/commands/scorecard.js'
import { type Engine, openEmbeddedEngine } from '../../../bin/connect/clickhouse.js'
import { openDataFolder } from '../../../bin/connect/data-folder.js'
import { runScorecard } from '../../../bin/run/scorecard.js'
import { liveStatus } from '../../api/support.js'
import { truth } from '../../support/real-capture.js'
import { config, replayCapture, serve, spanOfCarrier, tokenOf } from '../../support/replayed-capture.js'

const folder = mkdtempSync(join(tmpdir(), 'trunkscope-scorecard-'))
const dataDir = join(folder, 'store')
const { alpha } = truth()
const WEEKLY = {
  id: 'weekly',
  cron: '0 6 * * 1',
  time_zone: 'UTC',
  carriers: ['alpha'],
  side_by_side: false,
  formats: ['csv' as const, 'json' as const],
  sinks: [],
}
let week = ''

beforeAll(async () => {
  await replayCapture(dataDir)
  const { toS } = await spanOfCarrier(dataDir, 'alpha')
  week = weekAt(toS - 60).id
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

async function run(changes: Partial<ScorecardCommandOptions>): Promise<string> {
  let written = ''
  const options: ScorecardCommandOptions = {
    week,
    carrier: 'alpha',
    format: 'json',
    outFolder: undefined,
    from: { kind: 'folder', dataDir, config },
    ...changes,
  }
  await runScorecard(options, (part) => {
    written += Buffer.from(part).toString('utf8')
  })
  return written
}

describe('trunkscope scorecard', () => {
  test('from a folder it counts what was captured, and gives the folder back', async () => {
    const card = JSON.parse(await run({})) as Scorecard
    expect(scorecard.safeParse(card).error).toBeUndefined()
    expect(card.as_of).not.toBeNull()
    expect(card.rows.find(({ id }) => id === 'attempts')!.value).toBe(alpha.attempts)
    expect(card.rows.find(({ id }) => id === 'asr')!.numerator).toBe(alpha.answered)
    openDataFolder(dataDir).release()
  })

  test('into a folder it writes a file, and says which', async () => {
    const out = join(folder, 'scorecards')
    const file = (await run({ format: 'csv', outFolder: out, carrier: undefined })).trim()
    expect(file).toBe(join(out, `scorecard-${week}-all.csv`))
    expect(readFileSync(file, 'utf8').split('\r\n')[0]).toMatch(/^week,carrier,section/)
  })

  test('what the API refuses is the error of the command', async () => {
    await expect(run({ carrier: 'nobody' })).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_NO_SUCH_CARRIER' })
    const held = openDataFolder(dataDir)
    await expect(run({})).rejects.toMatchObject({ code: 'TRUNKSCOPE_DATA_IN_USE' })
    held.release()
  })
})

describe('trunkscope scorecard --url', () => {
  let url = ''
  let opened: Engine
  let api: Awaited<ReturnType<typeof serve>>
  let scheduling: Scheduling
  beforeAll(async () => {
    opened = openEmbeddedEngine(dataDir)
    config.scorecards.schedules.push({ ...WEEKLY })
    scheduling = startScheduling({
      client: opened.writer,
      owner: 'alone',
      deps: {
        readers: new Readers(opened.readers),
        config,
        live: () => liveStatus(),
        tokens: undefined,
        demo: false,
        metrics: async () => '',
        nowUs: () => Date.now() * 1_000,
      },
      outbox: { put: async () => {} },
      log: () => {},
    })
    api = await serve(opened, {
      tokens: () => [tokenOf('one', 'the-token', 'viewer'), tokenOf('operator', 'of-an-admin', 'admin')],
      scheduling: { runNow: (schedule) => scheduling.runNow(schedule) },
    })
    url = api.url
  })
  afterAll(async () => {
    await scheduling.stop()
    await api.close()
    await opened.close()
  })

  test('asks with the token of the file', async () => {
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, 'the-token\n')
    expect(await run({ format: 'html', from: { kind: 'api', url, tokenFile } })).toMatch(/^<!doctype html>/)
  })

  test('lets a schedule fire, and says what was made and where it lies', async () => {
    const tokenFile = join(folder, 'of-an-admin')
    writeFileSync(tokenFile, 'of-an-admin\n')
    const written = await run({ schedule: 'weekly', from: { kind: 'api', url, tokenFile } })
    const lines = written.trim().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^scorecard-\d{4}-W\d\d-alpha\.csv {2}\d+ bytes {2}http:.*\/v1\/documents\/[0-9a-f]{32}$/,
    )
    await expect(run({ schedule: 'monthly', from: { kind: 'api', url, tokenFile } })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_API_NO_SUCH_SCHEDULE',
    })
  })

  test('without a token, with a file that holds none, and without an API it says what to do', async () => {
    const of = (from: Partial<{ url: string; tokenFile: string }>) =>
      run({ from: { kind: 'api', url, tokenFile: undefined, ...from } })
    await expect(of({})).rejects.toMatchObject({ code: 'TRUNKSCOPE_API_UNAUTHORIZED' })
    await expect(of({ tokenFile: join(folder, 'none') })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_ASK_TOKEN_FILE',
    })
    await expect(of({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'TRUNKSCOPE_SCORECARD_NO_ANSWER',
    })
  })
})
