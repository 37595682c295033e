// tidy: tested by test/pipeline/real-capture.test.ts
/** `trunkscope replay`: a capture into a folder of its own, or on to a running collector. */
import { kpiAnswerOf } from '../../api/kpi/answer.js'
import { kpiQueryOf } from '../../api/kpi/query.js'
import { readKpiGroups } from '../../api/kpi/series.js'
import { Readers } from '../../api/readers.js'
import { noProgress, type ReplayProgress, readFrames, replayBatches } from '../../collector/replay-role.js'
import { StoreRole, type StoreStatus } from '../../collector/store-role.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { FILE_REASONS, type FileReason } from '../../schemas/pcap-reasons.js'
import type { ReplayOptions } from '../commands/options.js'
import { withFolder } from '../connect/open-store.js'
import { ProgressLine } from '../demo/progress.js'
import { type Destination, sendTcp, sendUdp } from '../demo/send.js'
import { kpiTable } from './kpi-table.js'
import { processLog } from './log.js'

export async function runReplay(options: ReplayOptions): Promise<void> {
  if (options.into.kind === 'agent') await sendOn(options, options.into)
  else await store(options, options.into.dataDir)
}

async function store(options: ReplayOptions, dataDir: string): Promise<void> {
  const { config } = options
  await withFolder(dataDir, config, async (engine) => {
    const role = await StoreRole.open({
      writer: engine.writer,
      rawWriter: engine.rawWriter,
      insertFolder: engine.insertFolder,
      config,
      basePartitions: [0],
      commit: async () => {},
      log: processLog(),
      countAgents: false,
    })
    const progress = noProgress()
    const line = new ProgressLine(process.stderr)
    for await (const batch of replayBatches(options.files, progress, options.pcapAgent)) {
      await role.accept(batch)
      line.show(`folded ${progress.frames} frames, ${percentOf(progress)} %`)
    }
    await role.drain()
    line.end(summaryOf(progress, role.status))
    if (progress.lastUs === 0) {
      process.stdout.write(options.json ? '{}\n' : 'no frame with a capture time: nothing to show\n')
      return
    }
    const answer = await answerFor(new Readers(engine.readers), config, progress, role.status.asOfUs)
    process.stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : kpiTable(answer))
  })
}

/** What `/v1/kpis` answers for the minutes that the capture touches. */
async function answerFor(
  readers: Readers,
  config: TrunkscopeConfig,
  progress: ReplayProgress,
  asOfUs: number,
) {
  const minute = 60_000_000
  const from = new Date((Math.floor(progress.firstUs / minute) * minute) / 1_000).toISOString()
  const to = new Date(((Math.floor(progress.lastUs / minute) + 1) * minute) / 1_000).toISOString()
  const query = kpiQueryOf({ from, to, group_by: 'carrier' }, config, asOfUs)
  return kpiAnswerOf(query, await readKpiGroups(readers, config, query), asOfUs)
}

function summaryOf(progress: ReplayProgress, status: StoreStatus): string {
  const notes = [...status.refused].map(([name, count]) => `${count} ${name}`)
  if (progress.skippedBytes > 0) notes.push(`${progress.skippedBytes} bytes between frames skipped`)
  notes.push(...unreadOf(progress))
  return `${progress.frames} frames, ${status.messagesStored} SIP messages stored${notes.length > 0 ? `; ${notes.join(', ')}` : ''}`
}

async function sendOn({ files, pcapAgent }: ReplayOptions, to: Destination): Promise<void> {
  const progress = noProgress()
  const line = new ProgressLine(process.stderr)
  const frames = async function* () {
    for await (const batch of readFrames(files, progress, pcapAgent)) {
      for (const frame of batch) yield { atUs: frame.receivedAtUs, bytes: frame.bytes }
    }
  }
  const onProgress = ({ frames: sent }: { frames: number }) =>
    line.show(`sent ${sent} frames, ${percentOf(progress)} %`)
  const send = to.transport === 'tcp' ? sendTcp : sendUdp
  const sent = await send(frames(), to, { onProgress })
  const skipped = progress.skippedBytes > 0 ? `, ${progress.skippedBytes} bytes between frames skipped` : ''
  const failed = sent.errors > 0 ? `, ${sent.errors} could not be sent` : ''
  const unread = unreadOf(progress)
  const unreadText = unread.length > 0 ? `; ${unread.join(', ')}` : ''
  line.end(`${sent.frames} frames sent in ${sent.seconds.toFixed(1)} s${skipped}${failed}${unreadText}`)
}

/** What of pcap files gave no message; first what ended the reading of a file, in words. */
function unreadOf({ packets, unread }: ReplayProgress): string[] {
  if (packets === 0 && unread.size === 0) return []
  const isOfFile = (reason: string): reason is FileReason => Object.hasOwn(FILE_REASONS, reason)
  const counts = [...unread].sort(([a], [b]) => Number(isOfFile(b)) - Number(isOfFile(a)))
  return [
    `${packets} packets of pcap`,
    ...counts.map(([reason, count]) =>
      isOfFile(reason) ? `${FILE_REASONS[reason]} (${reason})` : `${count} ${reason}`,
    ),
  ]
}

const percentOf = (progress: ReplayProgress) =>
  Math.floor((100 * progress.bytes) / Math.max(1, progress.bytesOfAll))
