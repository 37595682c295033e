import { expect, test, vi } from 'vitest'
import { runInit } from '../../../bin/run/init.js'
import { configSchema } from '../../../schemas/config.js'
import { KPI_COLUMNS } from '../../../schemas/kpi-rollup.js'

test('init prints the DDL of a ClickHouse cluster, of the database that is configured, and reaches for no server', async () => {
  let text = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  const clickhouse = { url: 'http://nobody.invalid:8123', database: 'carriers' }
  await runInit({
    config: configSchema.parse({ clickhouse }),
    passwordFolder: undefined,
    clusterName: 'telephony',
  })
  write.mockRestore()
  const statements = text.split(/;\n(?=CREATE |ALTER |INSERT |$)/).filter((statement) => statement !== '')
  expect(statements[0]).toBe('CREATE DATABASE IF NOT EXISTS carriers ON CLUSTER telephony')
  expect(text).toContain('CREATE TABLE IF NOT EXISTS carriers.call_attempts_local ON CLUSTER telephony')
  for (const statement of statements.slice(1))
    expect(statement).toMatch(/^(CREATE TABLE IF NOT EXISTS|ALTER TABLE|INSERT INTO) carriers\.\w+/)
  const additions = statements.filter((statement) => statement.startsWith('ALTER TABLE carriers.kpi_hour '))
  for (const { name } of KPI_COLUMNS) expect(additions.join('\n')).toContain(`${name} `)
})
