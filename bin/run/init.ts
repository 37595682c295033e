// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope init`: makes the topic, the database and its tables, or brings them up to date. Safe to run again. */
import { join } from 'node:path'
import { KafkaBus } from '../../collector/bus/kafka-bus.js'
import { applySchema } from '../../collector/store/schema.js'
import { withSchemaLock } from '../../collector/store/schema-lock.js'
import {
  SERVER_USERS,
  type ServerPasswords,
  serverUserStatements,
} from '../../collector/store/server-users.js'
import type { InitOptions } from '../commands/roles.js'
import { createDatabase, openServer } from '../connect/clickhouse.js'
import { needed } from '../connect/needed.js'
import { secretsOf } from '../connect/secret-files.js'
import { processLog } from './log.js'

export async function runInit({ config, passwordFolder }: InitOptions): Promise<void> {
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
      for (const query of serverUserStatements(clickhouse.database, passwords))
        await engine.writer.command({ query })
      say(`users of ClickHouse: ${SERVER_USERS.map((user) => `trunkscope_${user}`).join(', ')}`)
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
