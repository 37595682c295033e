// tidy: tested by test/pipeline/cluster.test.ts
/**
 * `trunkscope init`: makes the topic, the database and its tables, or brings them up to date. Safe to run again.
 * Asked for the tables of a ClickHouse cluster it prints their DDL and does nothing.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { KafkaBus } from '../../collector/bus/kafka-bus.js'
import { clusterDdl } from '../../collector/store/cluster-ddl.js'
import { applySchema, columnAddition, KPI_TABLES, migrations } from '../../collector/store/schema.js'
import { withSchemaLock } from '../../collector/store/schema-lock.js'
import {
  ALERTS_USER,
  SERVER_USERS,
  type ServerPasswords,
  serverUserStatements,
} from '../../collector/store/server-users.js'
import { KPI_COLUMNS } from '../../schemas/kpi-rollup.js'
import type { InitOptions } from '../commands/roles.js'
import { createDatabase, openServer } from '../connect/clickhouse.js'
import { needed } from '../connect/needed.js'
import { secretsOf } from '../connect/secret-files.js'
import { processLog } from './log.js'

export async function runInit({ config, passwordFolder, clusterName }: InitOptions): Promise<void> {
  if (clusterName !== undefined) {
    process.stdout.write(clusterDdlText(clusterName, config.clickhouse?.database ?? 'trunkscope'))
    return
  }
  const kafka = needed(config, 'kafka', 'init')
  const clickhouse = needed(config, 'clickhouse', 'init')
  const log = processLog()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  await createDatabase(clickhouse)
  const engine = await openServer(clickhouse, 'store')
  try {
    await withSchemaLock(engine.writer, () => applySchema(engine.writer, config.retention))
    if (passwordFolder !== undefined) {
      const passwords = Object.fromEntries(
        SERVER_USERS.map((user) => [user, secretsOf(join(passwordFolder, user), '--passwords', 1)[0]]),
      ) as ServerPasswords
      const alertsFile = join(passwordFolder, ALERTS_USER)
      if (existsSync(alertsFile)) passwords[ALERTS_USER] = secretsOf(alertsFile, '--passwords', 1)[0]
      for (const query of serverUserStatements(clickhouse.database, passwords))
        await engine.writer.command({ query })
      say(
        `users of ClickHouse: ${Object.keys(passwords)
          .map((user) => `trunkscope_${user}`)
          .join(', ')}`,
      )
    }
  } finally {
    await engine.close()
  }
  say(`tables of ${clickhouse.database} at ${clickhouse.url}: up to date`)
  const bus = await KafkaBus.open({
    kafka,
    name: 'trunkscope-init',
    log: (level, sentence) => level !== 'debug' && log(level, sentence),
  })
  try {
    await bus.ensureTopic()
  } finally {
    await bus.close()
  }
  say(
    `topic ${kafka.topic} at ${kafka.brokers.join(', ')}: there, at least ${kafka.base_partitions} partitions`,
  )
}

/** Experimental: see docs/clickhouse.md. */
function clusterDdlText(name: string, database: string): string {
  const columns = new Map(KPI_TABLES.map((table) => [table, KPI_COLUMNS.map(columnAddition)]))
  return `${clusterDdl(migrations(), columns, { name, database }).join(';\n')};\n`
}
