// tidy: long because the start of the whole process is read from top to bottom
// tidy: tested by test/pipeline/real-capture.test.ts
/**
 * The embedded mode: capture thread → spool → store → ClickHouse in this process, and the api beside it.
 *
 * Starts in the order in which things may fail without having touched anything: data folder and its lock, the engine and
 * its tables, the sockets, the page. Stops in the order of a packet's way, so that everything accepted is stored.
 */
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { buildApp } from '../../api/app.js'
import { NumberDigests } from '../../api/audit/number-digests.js'
import { AuditTrail } from '../../api/audit/trail.js'
import { listen } from '../../api/listen.js'
import { Connections } from '../../api/readers.js'
import { SpoolBus } from '../../collector/bus/spool-bus.js'
import { startCapture } from '../../collector/capture/capture.js'
import { liveStatus } from '../../collector/live.js'
import { applySchema } from '../../collector/store/schema.js'
import { StoreRole } from '../../collector/store-role.js'
import { ownMetrics } from '../../collector/telemetry.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import type { ListenOptions } from '../commands/options.js'
import { auditKeys } from '../connect/audit-key.js'
import { captureSettings } from '../connect/capture-settings.js'
import { openEmbeddedEngine } from '../connect/clickhouse.js'
import { openDataFolder } from '../connect/data-folder.js'
import { type Endpoint, endpointText, tokensAsked } from '../connect/exposure.js'
import { startAlerts } from './alerts.js'
import { captureOptions } from './capture-options.js'
import { startEvidence } from './evidence.js'
import { type Log, requestsTo } from './log.js'
import { noticesOf, openNumbers } from './numbers.js'

export interface EmbeddedOptions extends ListenOptions {
  config: TrunkscopeConfig
  dataDir: string
  demo: boolean
  log: Log
  /** No alert is judged before; left out: from the start. */
  alertsAfter?: Promise<unknown> | undefined
}

export interface Embedded {
  listening: { hepUdp: string; hepTcp: string; hepTls: string; http: string }
  hepTcpPort: number
  hepUdpPort: number
  bufferAsked: number
  bufferGranted: number
  live(): LiveStatus
  /** Takes over what can change while it runs: who is who, thresholds, agent key, allow-list, certificates. */
  reload(config: TrunkscopeConfig): Promise<string[]>
  /** Rejects when capture or the store ends without being asked to. */
  failed: Promise<never>
  /** Drains and stops; resolves when everything accepted is stored. */
  stop(): Promise<void>
}

const PARTITION = 0

export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { config, log } = options
  // The engine shares the machine's memory with us: let the old heap grow by 70 % between two collections, not by up to
  // 300 %. Measured at 30,000 frames/s: about 300 MB of heap instead of 560, at the same CPU a frame.
  setFlagsFromString('--heap-growing-percent=70')
  const startedAtUs = Date.now() * 1_000
  const undo: (() => Promise<void> | void)[] = []
  try {
    const numbers = await openNumbers(config)
    for (const notice of noticesOf(numbers.loaded())) log('warn', notice)
    const folder = await openDataFolder(options.dataDir)
    undo.push(() => folder.release())
    const engine = openEmbeddedEngine(folder.path)
    undo.push(() => engine.close())
    await applySchema(engine.writer, config.retention)

    let fail: (error: unknown) => void = () => {}
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    failed.catch(() => {})

    const spoolFolder = join(folder.path, 'spool')
    const waiting: { bus?: SpoolBus; store?: StoreRole } = {}
    const capture = await startCapture({
      ...captureOptions(config, options, spoolFolder),
      onNotify: (endPosition, receivedUntilUs) => waiting.bus?.notify(endPosition, receivedUntilUs),
      onRefused: (samples) => waiting.store?.noteRefused(samples),
      onNotice: (sentence) => log('warn', sentence),
      onFatal: fail,
    })
    undo.push(() => capture.stop())

    const bus = await SpoolBus.open({
      folder: spoolFolder,
      onCommitted: (position) => capture.committed(position),
      onNotice: (sentence) => log('warn', sentence),
    })
    waiting.bus = bus
    bus.notify(capture.endPosition, capture.receivedUntilUs)
    undo.push(() => bus.close())

    const store = await StoreRole.open({
      writer: engine.writer,
      rawWriter: engine.rawWriter,
      insertFolder: engine.insertFolder,
      config,
      basePartitions: [PARTITION],
      commit: (partition, position) => bus.commit(partition, position),
      log,
    })
    waiting.store = store

    const address = { udp: textOf(capture.bound.udp), tcp: textOf(capture.bound.tcp), http: '' }
    let lastFrame: LiveStatus['lastFrame']
    const lag = new Lag(bus)
    const live = () =>
      liveStatus({
        startedAtUs,
        capture: capture.counters(),
        store: store.status,
        listening: { hepUdp: address.udp, hepTcp: address.tcp, http: address.http },
        spoolLagBytes: lag.bytes,
        lastFrame,
        problem: '',
      })
    const delivered = new Delivered()
    const delivery = bus.subscribe(async (batch) => {
      const last = batch.frames.at(-1)
      if (last !== undefined) lastFrame = { atUs: last.receivedAtUs, peerAddress: last.peerAddress }
      await store.accept(batch)
      delivered.upTo(batch.nextPosition)
    })
    delivery.catch(fail)

    // Beside raw messages: a connection more would hold the last free thread of libuv's pool (connect/clickhouse.ts).
    const evidence = startEvidence({ client: engine.rawWriter, config: () => config, log })
    undo.push(() => evidence.stop())

    const connections = new Connections(engine.readers)
    const alerts = await startAlerts({
      client: engine.writer,
      connections,
      config,
      live,
      numbers: numbers.loaded,
      log,
      after: options.alertsAfter,
      isAlone: true,
    })
    undo.push(() => alerts.stop())
    const metricsText = ownMetrics(() => ({
      live: live(),
      store: store.status,
      capture: capture.counters(),
      evidence: evidence.status,
    }))
    const app = await buildApp({
      readers: connections,
      config,
      tokens: tokensAsked(options.http, config),
      demo: options.demo,
      log: requestsTo(log),
      live,
      outbox: alerts.outbox,
      scheduling: alerts.scheduling,
      numbers: numbers.loaded,
      audit: new AuditTrail({
        client: engine.writer,
        digests: new NumberDigests(auditKeys(config, folder.path)),
        log,
      }),
      metrics: async () => {
        await lag.refresh()
        return `${await metricsText()}${await alerts.metrics()}`
      },
    })
    undo.push(async () => {
      await app.close()
    })
    address.http = (await listen(app, options.http)).address
    undo.length = 0

    return {
      listening: {
        hepUdp: address.udp,
        hepTcp: address.tcp,
        hepTls: textOf(capture.bound.tls),
        http: address.http,
      },
      hepUdpPort: capture.bound.udp?.port ?? 0,
      hepTcpPort: capture.bound.tcp?.port ?? 0,
      bufferAsked: capture.bufferAsked,
      bufferGranted: capture.bufferGranted,
      live,
      reload: async (next) => {
        const takeOverSinks = alerts.prepare(next)
        const notices = await capture.reload(captureSettings(next))
        store.reconfigure(next)
        // The api reads names and peers from the same object.
        Object.assign(config, next)
        await takeOverSinks()
        return [...notices, ...(await numbers.reload(next))]
      },
      failed,
      stop: async () => {
        lag.stop()
        await app.close()
        await alerts.stop()
        await evidence.stop()
        await capture.stop()
        bus.notify(capture.endPosition, capture.receivedUntilUs)
        try {
          // A store that refuses is not waited for: what it did not take stays in the spool for the next start.
          if (store.status.problem !== '') store.stop()
          await Promise.race([delivered.reached(capture.endPosition), delivery])
          store.stop()
          await bus.close()
          await store.drain()
        } finally {
          await engine.close()
          folder.release()
        }
      },
    }
  } catch (error) {
    for (const step of undo.reverse()) await step()
    throw error
  }
}

/** How far the store has folded; lets the last frames be waited for. */
class Delivered {
  #position = 0
  #waiting: { position: number; resolve: () => void } | undefined

  upTo(position: number): void {
    this.#position = position
    if (this.#waiting !== undefined && position >= this.#waiting.position) this.#waiting.resolve()
  }

  reached(position: number): Promise<void> {
    if (this.#position >= position) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = { position, resolve }
    })
  }
}

/** What the spool holds that is not stored; as of half a second ago at most. */
class Lag {
  bytes = 0
  readonly #bus: SpoolBus
  readonly #timer: NodeJS.Timeout

  constructor(bus: SpoolBus) {
    this.#bus = bus
    this.#timer = setInterval(() => void this.refresh(), 500)
    this.#timer.unref()
  }

  async refresh(): Promise<void> {
    this.bytes = (await this.#bus.lag()).bytes
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

const textOf = (bound: Endpoint | undefined) => (bound === undefined ? '' : endpointText(bound))
