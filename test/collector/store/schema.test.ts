import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AGENT_COLUMNS } from '../../../collector/store/agents.js'
import { REFUSED_COLUMNS } from '../../../collector/store/refused.js'
import { applySchema, checkSchema, statementsOf } from '../../../collector/store/schema.js'
import { ATTEMPT_COLUMNS, type Column } from '../../../schemas/call-attempts.js'
import { ROLLUP_COLUMNS } from '../../../schemas/kpi-rollup.js'
import { MESSAGE_COLUMNS } from '../../../schemas/sip-messages.js'
import { openTestEngine, RETENTION, rowsOf, type TestEngine } from '../../support/engine.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())

const columnsOf = (table: string) =>
  rowsOf<{ name: string; type: string }>(
    engine.writer,
    `SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '${table}' AND default_kind != 'MATERIALIZED' ORDER BY position`,
  )

const tables = () =>
  rowsOf<{ name: string; ddl: string }>(
    engine.writer,
    'SELECT name, create_table_query AS ddl FROM system.tables WHERE database = currentDatabase() ORDER BY name',
  )

/** As the encoder sees a type: LowCardinality and the time zone change nothing in RowBinary. */
const encodedAs = (type: string) =>
  type
    .replace(/LowCardinality\(([^)]*)\)/g, '$1')
    .replace("DateTime('UTC')", 'DateTime')
    .replace("DateTime64(6, 'UTC')", 'DateTime64(6)')

describe('schema', () => {
  const written: [table: string, columns: readonly Column<never>[]][] = [
    ['call_attempts', ATTEMPT_COLUMNS as readonly Column<never>[]],
    ['sip_messages', MESSAGE_COLUMNS as readonly Column<never>[]],
    ['agents_minute', AGENT_COLUMNS as readonly Column<never>[]],
    ['rejected_frames', REFUSED_COLUMNS as readonly Column<never>[]],
  ]
  for (const [table, columns] of written) {
    test(`the columns of ${table} are those that are written, in that order and of that type`, async () => {
      const stored = (await columnsOf(table)).map(({ name, type }) => [name, encodedAs(type)])
      expect(stored).toEqual(columns.map(({ name, type }) => [name, type]))
    })
  }

  test.each(['minute', 'hour', 'day'])(
    'kpi_%s has a column for everything that the catalog counts',
    async (grain) => {
      const stored = await columnsOf(`kpi_${grain}`)
      const keys = ['bus_partition', grain, 'party', 'carrier', 'site', 'direction', 'version', 'computed_at']
      expect(stored.filter(({ name }) => !keys.includes(name))).toEqual(
        ROLLUP_COLUMNS.map(({ name, type }) => ({ name, type })),
      )
    },
  )

  test('applied a second time it changes nothing', async () => {
    const before = [
      await tables(),
      await rowsOf(engine.writer, 'SELECT * FROM schema_migrations ORDER BY number'),
    ]
    await applySchema(engine.writer, RETENTION)
    const after = [
      await tables(),
      await rowsOf(engine.writer, 'SELECT * FROM schema_migrations ORDER BY number'),
    ]
    expect(after).toEqual(before)
  })

  test('a KPI that is new in the catalog gets its columns', async () => {
    await engine.writer.command({ query: 'ALTER TABLE kpi_minute DROP COLUMN asr_numerator' })
    await applySchema(engine.writer, RETENTION)
    expect((await columnsOf('kpi_minute')).map(({ name }) => name)).toContain('asr_numerator')
  })

  test('the retention follows the configuration', async () => {
    await applySchema(engine.writer, { raw_days: 3, attempts_months: 24 })
    const ddl = new Map((await tables()).map((table) => [table.name, table.ddl]))
    expect(ddl.get('sip_messages')).toContain('TTL stored_at + toIntervalDay(3)')
    expect(ddl.get('rejected_frames')).toContain('TTL stored_at + toIntervalDay(3)')
    expect(ddl.get('call_attempts')).toContain('TTL stored_at + toIntervalMonth(24)')
    expect(ddl.get('kpi_minute')).toContain('TTL computed_at + toIntervalDay(390)')
    expect(ddl.get('kpi_hour')).toContain('TTL computed_at + toIntervalMonth(37)')
    expect(ddl.get('kpi_day')).toContain('TTL computed_at + toIntervalMonth(120)')
    expect(ddl.get('documents')).toContain('TTL stored_at + toIntervalMonth(25)')
    await applySchema(engine.writer, RETENTION)
  })

  test('a folder of a later version is refused, with what to do', async () => {
    await engine.writer.command({
      query: "INSERT INTO schema_migrations (number, name) VALUES (999, '999_later.sql')",
    })
    await expect(applySchema(engine.writer, RETENTION)).rejects.toMatchObject({
      code: 'TRUNKSCOPE_STORE_SCHEMA_NEWER',
      message: expect.stringMatching(
        /schema 999, this version knows \d+.*Start that version, or choose another folder/,
      ),
    })
    await expect(checkSchema(engine.writer)).rejects.toMatchObject({ code: 'TRUNKSCOPE_STORE_SCHEMA_NEWER' })
    await engine.writer.command({
      query: 'ALTER TABLE schema_migrations DELETE WHERE number = 999',
      clickhouse_settings: { mutations_sync: '1' },
    })
    await applySchema(engine.writer, RETENTION)
  })

  describe('asked by somebody who may only read', () => {
    const older = (lack: RegExp) => ({
      code: 'TRUNKSCOPE_STORE_SCHEMA_OLDER',
      message: expect.stringMatching(new RegExp(`${lack.source}\\. Run: trunkscope init$`)),
    })

    test('tables of this version are sound', () => checkSchema(engine.readers[0]!))

    test('a rollup without the columns of a new KPI is older', async () => {
      await engine.writer.command({ query: 'ALTER TABLE kpi_minute DROP COLUMN asr_numerator' })
      await expect(checkSchema(engine.writer)).rejects.toMatchObject(older(/kpi_minute lacks asr_numerator/))
      await applySchema(engine.writer, RETENTION)
      await checkSchema(engine.writer)
    })

    test('a migration that was not applied is older, and named', async () => {
      await engine.writer.command({
        query: 'ALTER TABLE schema_migrations DELETE WHERE number = 6',
        clickhouse_settings: { mutations_sync: '1' },
      })
      await expect(checkSchema(engine.writer)).rejects.toMatchObject(
        older(/006_store_checkpoints\.sql not applied/),
      )
      await applySchema(engine.writer, RETENTION)
    })

    test('a database without tables is older, and nothing is made in it', async () => {
      await engine.writer.command({ query: 'RENAME TABLE schema_migrations TO put_away' })
      await expect(checkSchema(engine.writer)).rejects.toMatchObject(older(/there are none yet/))
      await engine.writer.command({ query: 'RENAME TABLE put_away TO schema_migrations' })
      await checkSchema(engine.writer)
    })
  })

  test('a migration is split at semicolons that end a line, and comment lines are dropped', () => {
    expect(
      statementsOf("-- one; two\nCREATE a\n(\n  b String -- c\n);\n\n-- next\nSELECT ';x' AS d;\n"),
    ).toEqual(['CREATE a\n(\n  b String -- c\n)', "SELECT ';x' AS d"])
  })
})
