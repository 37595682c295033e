import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, openServer } from '../../../../bin/connect/clickhouse.js'
import { checkClickHouse } from '../../../../bin/run/doctor/clickhouse.js'
import { applySchema } from '../../../../collector/store/schema.js'
import { configSchema } from '../../../../schemas/config.js'
import { ClickHouseFront } from '../../../support/clickhouse-front.js'

const PASSWORD = 'a-password-of-the-test'
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-doctor-'))
const passwordFile = join(folder, 'password')
let front: ClickHouseFront

beforeAll(async () => {
  writeFileSync(passwordFile, `${PASSWORD}\n`)
  front = await ClickHouseFront.start({ users: [{ name: 'trunkscope_admin', password: PASSWORD }] })
})
afterAll(async () => {
  await front.stop()
  rmSync(folder, { recursive: true })
})

function config(changed: Record<string, unknown> = {}) {
  return configSchema.parse({
    clickhouse: { url: front.url, username: 'trunkscope_admin', password_file: passwordFile, ...changed },
  }).clickhouse!
}

describe('doctor › clickhouse', () => {
  test('a database that is not there yet is a failure, and so are tables that are not there yet', async () => {
    expect(await checkClickHouse(config())).toMatchObject([{ level: 'fail', fix: 'Run: trunkscope init' }])
    await createDatabase(config())
    const findings = await checkClickHouse(config())
    expect(findings).toMatchObject([
      { check: 'clickhouse', level: 'ok', sentence: expect.stringMatching(/version \d+\.\d+/) },
      { check: 'clickhouse clock', level: 'ok' },
      { check: 'clickhouse schema', level: 'fail', fix: 'Run: trunkscope init' },
      { check: 'clickhouse rights' },
    ])
  })

  test('with the tables of this version everything is fine', async () => {
    const engine = await openServer(config(), 'store')
    await applySchema(engine.writer, configSchema.parse({}).retention)
    await engine.close()
    const findings = await checkClickHouse(config())
    expect(findings.map(({ check, level }) => `${check} ${level}`)).toEqual([
      'clickhouse ok',
      'clickhouse clock ok',
      'clickhouse schema ok',
      'clickhouse rights ok',
    ])
  })

  test('a clock that is a minute off is a warning', async () => {
    const findings = await checkClickHouse(config(), () => Date.now() - 60_000)
    expect(findings.find(({ check }) => check === 'clickhouse clock')).toMatchObject({
      level: 'warn',
      sentence: expect.stringMatching(/differs from ours by (59|60)\.\d s/),
    })
  })

  test('a wrong password is a failure that names the settings and not the password', async () => {
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'another')
    const findings = await checkClickHouse(config({ password_file: wrong }))
    expect(findings).toMatchObject([
      { level: 'fail', fix: expect.stringContaining('clickhouse.password_file') },
    ])
    expect(JSON.stringify(findings)).not.toContain('another')
  })

  test('a server that is not there is a failure, as is a password file that is not', async () => {
    expect(await checkClickHouse(config({ url: 'http://127.0.0.1:1' }))).toMatchObject([
      { level: 'fail', fix: expect.stringContaining('clickhouse.url') },
    ])
    expect(await checkClickHouse(config({ password_file: join(folder, 'nowhere') }))).toMatchObject([
      { level: 'fail', fix: expect.stringContaining('path') },
    ])
  })

  test('a server that takes the question and never answers is a failure within seconds', async () => {
    await front.faults.hang(1)
    expect(await checkClickHouse(config())).toMatchObject([{ level: 'fail' }])
    await front.faults.clear()
  })
})
