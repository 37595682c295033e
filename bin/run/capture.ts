// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope capture`: HEP → spool → Kafka, one process a site. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KafkaBus } from '../../collector/bus/kafka-bus.js'
import { SpoolBus } from '../../collector/bus/spool-bus.js'
import { startCapture } from '../../collector/capture/capture.js'
import { CaptureRole } from '../../collector/capture-role.js'
import { liveStatus } from '../../collector/live.js'
import type { Snapshot } from '../../collector/telemetry.js'
import type { CaptureCommandOptions } from '../commands/roles.js'
import { captureSettings } from '../connect/capture-settings.js'
import { openDataFolder } from '../connect/data-folder.js'
import { checkHepExposure, endpointText } from '../connect/exposure.js'
import { needed } from '../connect/needed.js'
import { captureOptions } from './capture-options.js'
import { serveHealth } from './health.js'
import { processLog } from './log.js'
import { reloadOnHup } from './reload.js'
import { Undo } from './undo.js'
import { untilStopped } from './until-stopped.js'

/** What a send takes at a time: far brokers answer late. */
const READ_BYTES = 4 * 1_048_576

export async function runCapture(options: CaptureCommandOptions): Promise<void> {
  const { config, readConfig } = options
  const kafka = needed(config, 'kafka', 'capture')
  const log = processLog()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  const undo = new Undo()
  const startedAtUs = Date.now() * 1_000
  await undo.onFailure(async () => {
    const folder = await openDataFolder(options.dataDir)
    undo.push(() => folder.release())
    const { failed, fail } = failure()
    const waiting: { spool?: SpoolBus; broker?: KafkaBus; role?: CaptureRole } = {}
    const capture = await startCapture({
      ...captureOptions(config, options, join(folder.path, 'spool')),
      onNotify: (endPosition, receivedUntilUs) => waiting.spool?.notify(endPosition, receivedUntilUs),
      onNotice: (sentence) => log('warn', sentence),
      onFatal: fail,
    })
    undo.push(() => capture.stop())
    const spool = await SpoolBus.open({
      folder: join(folder.path, 'spool'),
      readBytes: READ_BYTES,
      onCommitted: (position) => capture.committed(position),
      onNotice: (sentence) => log('warn', sentence),
      acknowledged: () => waiting.broker?.acknowledged,
    })
    waiting.spool = spool
    undo.push(() => spool.close())
    spool.notify(capture.endPosition, capture.receivedUntilUs)
    const broker = await KafkaBus.open({
      kafka,
      name: `trunkscope-capture-${hostname()}-${process.pid}`,
      log: (level, sentence) => level !== 'debug' && log(level, sentence),
      onLogLost: (sentence) => waiting.role?.onLogLost(sentence),
      acknowledgedBefore: spool.acknowledgedBefore,
    })
    waiting.broker = broker
    undo.push(() => broker.close())
    const role = new CaptureRole({ spool, broker, log })
    waiting.role = role
    const running = role.run()
    running.catch(fail)

    const listening = { hepUdp: textOf(capture.bound.udp), hepTcp: textOf(capture.bound.tcp), http: '' }
    let lagBytes = 0
    const lagTimer = setInterval(() => void spool.lag().then(({ bytes }) => (lagBytes = bytes)), 500)
    lagTimer.unref()
    undo.push(() => clearInterval(lagTimer))
    const snapshot = (): Snapshot => ({
      live: liveStatus({
        startedAtUs,
        capture: capture.counters(),
        listening,
        spoolLagBytes: lagBytes,
        asOfUs: capture.receivedUntilUs,
        problem: role.status.problem,
      }),
      capture: capture.counters(),
      published: role.status,
    })
    const http = await serveHealth(options.http, config, { snapshot, log })
    undo.push(() => http.close())
    listening.http = http.address
    reloadOnHup({
      configPath: options.configPath,
      read: readConfig,
      apply: async (next) => {
        // A key that is gone from the file must not leave a socket open to everybody.
        checkHepExposure(options, next)
        return capture.reload(captureSettings(next))
      },
      log,
    })
    say(`Trunkscope captures
  HEP udp   ${listening.hepUdp}
  HEP tcp   ${listening.hepTcp}${capture.bound.tls === undefined ? '' : `\n  HEP tls   ${textOf(capture.bound.tls)}`}
  health    http://${listening.http}/readyz
  spool     ${join(folder.path, 'spool')}
  broker    ${kafka.brokers.join(', ')}, topic ${kafka.topic}
Ctrl-C stops it; what the broker does not have stays in the spool.`)
    await untilStopped(
      {
        failed,
        stop: async () => {
          clearInterval(lagTimer)
          await http.close()
          await capture.stop()
          spool.notify(capture.endPosition, capture.receivedUntilUs)
          await drain(spool, role, running)
          await broker.close()
          folder.release()
        },
      },
      say,
    )
  })
  // The client goes on asking a broker that hangs, for minutes: nothing of ours is left to wait for.
  process.exit(0)
}

const STOP_WAIT_MS = 5_000

/** What the broker takes at once it gets; it is not waited for. */
async function drain(spool: SpoolBus, role: CaptureRole, running: Promise<void>): Promise<void> {
  if (role.status.problem !== '') role.stop()
  await Promise.race([reached(spool), running, pause(STOP_WAIT_MS)])
  role.stop()
  await spool.close()
}

async function reached(spool: SpoolBus): Promise<void> {
  while ((await spool.lag()).bytes > 0) await pause(50)
}

const pause = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms).unref()
  })

export function failure(): { failed: Promise<never>; fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})
  return { failed, fail }
}

const textOf = (bound: { host: string; port: number } | undefined) =>
  bound === undefined ? '' : endpointText(bound)
