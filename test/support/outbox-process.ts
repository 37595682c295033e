/**
 * An outbox over an embedded engine as a process of its own, so that it can be killed:
 *   node --import typescript-loader.mjs outbox-process.ts FOLDER URL MODE
 * Modes: `decide` stores a notice and dies of SIGKILL before the first byte is sent; `tell` sends it, and dies before the
 * delivery is noted; `deliver` sends what is left and ends.
 */
import { Outbox } from '../../api/alerts/outbox.js'
import { post } from '../../api/alerts/sinks/post.js'
import { openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { applySchema } from '../../collector/store/schema.js'
import { noticeOf } from '../api/alerts/notice.js'
import { RETENTION } from './engine.js'

const [folder, url, mode] = process.argv.slice(2) as [string, string, 'decide' | 'tell' | 'deliver']
const die = () => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise<never>(() => {})
}

const engine = openEmbeddedEngine(folder)
await applySchema(engine.writer, RETENTION)
const outbox = await Outbox.open({
  client: engine.writer,
  sinks: [
    {
      id: 'hook',
      type: 'webhook',
      template: 'standard',
      allowPrivate: true,
      url,
      urlFile: undefined,
      secretFile: undefined,
      signingKeys: [Buffer.alloc(32, 7)],
      repeatIntervalHours: 4,
    },
  ],
  log: () => {},
  post: async (request, options) => {
    if (mode === 'decide') return die()
    const answer = await post(request, options)
    return mode === 'tell' ? die() : answer
  },
})
if (mode !== 'deliver') {
  outbox.start()
  await outbox.put([noticeOf('alpha'), noticeOf('alpha', { status: 'resolved' }), noticeOf('bravo')])
  await new Promise(() => setInterval(() => {}, 60_000))
}
await outbox.deliverDue()
process.stdout.write(JSON.stringify(outbox.sinks))
await outbox.close()
await engine.close()
