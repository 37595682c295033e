/** As `trunkscope init` does: brings a server's tables to their shape, under the lock. Killed at once if it is to be. */
import { createClient } from '@clickhouse/client'
import { applySchema } from '../../collector/store/schema.js'
import { withSchemaLock } from '../../collector/store/schema-lock.js'

const [url, dies] = process.argv.slice(2)
const client = createClient({ url: url!, log: { level: 127 } })
await withSchemaLock(client, async () => {
  if (dies === 'dies') process.kill(process.pid, 'SIGKILL')
  await applySchema(client, {})
})
await client.close()
