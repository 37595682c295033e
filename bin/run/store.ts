// tidy: tested by test/pipeline/cluster.test.ts
/** `trunkscope store`: Kafka → decode → fold → ClickHouse. Several in one group share the partitions. */
import { hostname } from 'node:os'
import { KafkaBus } from '../../collector/bus/kafka-bus.js'
import { liveStatus } from '../../collector/live.js'
import { checkSchema } from '../../collector/store/schema.js'
import { StoreRole } from '../../collector/store-role.js'
import type { Snapshot } from '../../collector/telemetry.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { RoleOptions } from '../commands/roles.js'
import { type Engine, openServer } from '../connect/clickhouse.js'
import { needed } from '../connect/needed.js'
import { failure } from './capture.js'
import { startEvidence } from './evidence.js'
import { serveHealth } from './health.js'
import { processLog } from './log.js'
import { reloadOnHup } from './reload.js'
import { Undo } from './undo.js'
import { untilStopped } from './until-stopped.js'

type Log = ReturnType<typeof processLog>

/** Heartbeats are 3 s apart. */
const SILENT_MS = 4_500

export async function runStore(options: RoleOptions): Promise<void> {
  const { config } = options
  const kafka = needed(config, 'kafka', 'store')
  const clickhouse = needed(config, 'clickhouse', 'store')
  const log = processLog()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  const undo = new Undo()
  const startedAtUs = Date.now() * 1_000
  await undo.onFailure(async () => {
    const engine = await openServer(clickhouse, 'store')
    undo.push(() => engine.close())
    await checkSchema(engine.writer)
    const member = new StoreMember(engine, config, kafka, log)
    undo.push(() => member.stop())
    const evidence = startEvidence({ client: engine.writer, config: () => member.config, log })
    undo.push(() => evidence.stop())
    const { failed, fail } = failure()
    const running = member.run()
    running.catch(fail)

    const listening = { hepUdp: '', hepTcp: '', http: '' }
    const snapshot = (): Snapshot => {
      const store = member.status
      return {
        live: liveStatus({
          startedAtUs,
          ...(store === undefined ? {} : { store }),
          listening,
          spoolLagBytes: member.lagBytes,
          problem: member.silence,
        }),
        ...(store === undefined ? {} : { store }),
        evidence: evidence.status,
      }
    }
    const http = await serveHealth(options.http, config, { snapshot, log })
    undo.push(() => http.close())
    listening.http = http.address
    reloadOnHup({
      configPath: options.configPath,
      read: options.readConfig,
      apply: async (next) => {
        member.reconfigure(next)
        return []
      },
      log,
    })
    say(`Trunkscope stores
  broker      ${kafka.brokers.join(', ')}, topic ${kafka.topic}, group ${kafka.group}
  clickhouse  ${clickhouse.url}, database ${clickhouse.database}
  health      http://${listening.http}/readyz
Ctrl-C stops it; what is not stored stays in the topic.`)
    await untilStopped(
      {
        failed,
        stop: async () => {
          await http.close()
          await evidence.stop()
          await member.stop()
          await running.catch(() => {})
          await engine.close()
        },
      },
      say,
    )
  })
  // The client goes on asking a broker that hangs, for minutes: nothing of ours is left to wait for.
  process.exit(0)
}

/** A membership in the group, and the next one when another process has claimed what the bus still gives to this one. */
class StoreMember {
  readonly #engine: Engine
  readonly #kafka: NonNullable<TrunkscopeConfig['kafka']>
  readonly #log: Log
  #config: TrunkscopeConfig
  #bus: KafkaBus | undefined
  #role: StoreRole | undefined
  #isStopping = false
  lagBytes = 0

  constructor(
    engine: Engine,
    config: TrunkscopeConfig,
    kafka: NonNullable<TrunkscopeConfig['kafka']>,
    log: Log,
  ) {
    this.#engine = engine
    this.#config = config
    this.#kafka = kafka
    this.#log = log
  }

  get status() {
    return this.#role?.status
  }

  get config(): TrunkscopeConfig {
    return this.#config
  }

  /** '' while the brokers talk to this member. */
  get silence(): string {
    const silentMs = this.#bus?.silentMs ?? 0
    if (silentMs < SILENT_MS) return ''
    return `Kafka has said nothing for ${Math.round(silentMs / 1_000)} s: it is away, hangs, or the group rebalances`
  }

  reconfigure(config: TrunkscopeConfig): void {
    this.#config = config
    this.#role?.reconfigure(config)
  }

  async run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#subscribe()
      } catch (error) {
        const { code, message } = error as Error & { code?: string }
        if (code !== 'TRUNKSCOPE_STORE_SUPERSEDED') throw error
        this.#log('warn', `${message}, and joining the group again`)
      }
    }
  }

  /** What is held is stored, as far as ClickHouse takes it; the rest is delivered again. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const role = this.#role
    if (role !== undefined && role.status.problem !== '') role.stop()
    await this.#bus?.endDelivery()
    await role?.drain().catch(() => {})
    role?.stop()
    await this.#bus?.close()
  }

  async #subscribe(): Promise<void> {
    const log = this.#log
    const bus = await KafkaBus.open({
      kafka: this.#kafka,
      name: `trunkscope-store-${hostname()}-${process.pid}`,
      log: (level, sentence) => level !== 'debug' && log(level, sentence),
    })
    this.#bus = bus
    const role = await StoreRole.open({
      writer: this.#engine.writer,
      rawWriter: this.#engine.rawWriter,
      insertFolder: this.#engine.insertFolder,
      config: this.#config,
      commit: (partition, position) => bus.commit(partition, position),
      log,
    })
    this.#role = role
    const lag = setInterval(() => void this.#readLag(bus), 2_000)
    lag.unref()
    const idle = setInterval(() => role.flushWhenDue(), 500)
    try {
      await bus.subscribe(
        (batch) => role.accept(batch),
        (basePartitions) => role.revoke(basePartitions),
      )
    } finally {
      clearInterval(lag)
      clearInterval(idle)
      await bus.close()
    }
  }

  async #readLag(bus: KafkaBus): Promise<void> {
    try {
      this.lagBytes = (await bus.lag()).bytes
    } catch {
      // The broker is away: the last figure stands, and the bus says so itself.
    }
  }
}
