/**
 * The cluster as it runs: a real broker, the ClickHouse front, and the roles as processes of their own, from dist/. Each can be
 * killed, and comes back with the same data and ports.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import type { KafkaTimings } from '../../collector/bus/kafka-connection.js'
import { ClickHouseFront } from './clickhouse-front.js'
import { TRUNKSCOPE } from './collector-process.js'
import { KafkaBroker, type KafkaBrokerOptions } from './kafka-broker.js'
import { TcpProxy } from './tcp-proxy.js'

export interface ClusterOptions {
  /** Sites, carriers, customers, thresholds. */
  network: Record<string, unknown>
  basePartitions?: number
  stores?: number
  /** Into the configuration's kafka, clickhouse, spool … blocks. */
  kafka?: Record<string, unknown>
  clickhouse?: Record<string, unknown>
  spool?: Record<string, unknown>
  /** Waits of the Kafka client that are not those of the product (kafka-timings.mjs). */
  timings?: Partial<KafkaTimings>
  /** The data of `capture` lie on a tmpfs of so many bytes; needs root. */
  captureDiskBytes?: number
  /** Nodes of Kafka. */
  brokers?: number
  /** One broker, with these. */
  broker?: KafkaBrokerOptions
  /** Wires that lose answers stand before the broker and before ClickHouse. */
  isOverWires?: boolean
}

/** What a role is started with beside its arguments. */
export interface Surroundings {
  nodeArgs?: readonly string[]
  env?: Record<string, string>
  /** Runs before it, as root, in a mount namespace of the process's own. */
  mount?: string
  /** What runs it, with its arguments (strace -D …); it must leave the role the direct child. */
  under?: readonly string[]
}

const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

/** A role of the cluster: `start` resolves when it is up, which for `capture` needs no broker. */
export class RoleProcess {
  #child: ChildProcess | undefined
  output = ''

  constructor(
    readonly role: string,
    readonly args: readonly string[],
    readonly surroundings: Surroundings = {},
  ) {}

  async start(): Promise<void> {
    const { nodeArgs = [], env, mount, under = [] } = this.surroundings
    const command = [...under, process.execPath, ...nodeArgs, TRUNKSCOPE, this.role, ...this.args]
    // `exec "$0" "$@"`: the process that is killed is the role itself, no shell before it.
    if (mount !== undefined) command.unshift('unshare', '--mount', 'sh', '-c', `${mount} && exec "$0" "$@"`)
    const [program, ...args] = command
    const child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.#child = child
    started.add(child)
    child.once('exit', () => started.delete(child))
    this.output = ''
    await new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer) => {
        this.output += chunk.toString()
        if (/Ctrl-C stops it/.test(this.output)) resolve()
      }
      child.stdout?.on('data', take)
      child.stderr?.on('data', take)
      child.once('exit', (code, signal) => {
        if (signal === 'SIGKILL') resolve()
        else reject(new Error(`trunkscope ${this.role} ended with code ${code}:\n${this.output}`))
      })
    })
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** "127.0.0.1:40123" of a line that the role printed. */
  address(label: string): string {
    return new RegExp(`${label} +(?:http://)?([^/\\s]+)`).exec(this.output)?.[1] ?? ''
  }

  get http(): string {
    return this.address(this.role === 'api' || this.role === 'start' ? 'page' : 'health')
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.http}/metrics`)).text()
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** '' when /readyz says ready; what it says otherwise. */
  async problem(): Promise<string> {
    const response = await fetch(`http://${this.http}/readyz`)
    return response.ok ? '' : await response.text()
  }

  /** Resident memory of the process, as the kernel counts it. */
  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1')
    return 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
  }

  /** The exit code; null of one that was killed, or did not run. */
  async kill(signal: 'SIGKILL' | 'SIGINT' = 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || !this.isRunning) return null
    const exited = once(child, 'exit')
    if (signal === 'SIGINT') child.kill('SIGCONT') // A stopped process would not hear of its end.
    child.kill(signal)
    return (await exited)[0] as number | null
  }

  /** SIGHUP; resolves when it has said that it read its configuration again. */
  async reload(): Promise<void> {
    const said = () => this.output.split('was read again').length
    const before = said()
    const again = new Promise<void>((resolve) => {
      const look = () => said() > before && resolve()
      this.#child?.stdout?.on('data', look)
      this.#child?.stderr?.on('data', look)
    })
    this.#child?.kill('SIGHUP')
    await again
  }

  /** It hangs: holds its connections and its memory, and does nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}

export class Cluster {
  private constructor(
    readonly folder: string,
    readonly config: string,
    readonly brokers: KafkaBroker[],
    readonly front: ClickHouseFront,
    /** Where the cluster is over wires: before the broker, and before ClickHouse. */
    readonly wires: Wires | undefined,
    readonly capture: RoleProcess,
    readonly stores: RoleProcess[],
    readonly api: RoleProcess,
    readonly client: ClickHouseClient,
  ) {}

  static async start(options: ClusterOptions): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'trunkscope-cluster-'))
    const wires = options.isOverWires === true ? await startWires() : undefined
    const [brokers, front] = await Promise.all([startBrokers(options, wires), ClickHouseFront.start()])
    if (wires !== undefined) wires.clickhouse.serverPort = Number(new URL(front.url).port)
    const url = wires === undefined ? front.url : `http://127.0.0.1:${wires.clickhouse.port}`
    const config = join(folder, 'trunkscope.json')
    writeFileSync(
      config,
      JSON.stringify({
        ...options.network,
        kafka: {
          brokers: brokers.map((broker) => broker.bootstrap),
          base_partitions: options.basePartitions ?? 4,
          ...options.kafka,
        },
        clickhouse: { url, request_timeout_ms: 10_000, ...options.clickhouse },
        ...(options.spool === undefined ? {} : { spool: options.spool }),
      }),
    )
    const common = ['--config', config, '--http', '127.0.0.1:0']
    const hep = ['--hep-udp', '127.0.0.1:0', '--hep-tcp', '127.0.0.1:0']
    const captureData = join(folder, 'capture')
    const around = surroundingsOf(options)
    const cluster = new Cluster(
      folder,
      config,
      brokers,
      front,
      wires,
      new RoleProcess('capture', [...common, ...hep, '--data', captureData], {
        ...around,
        ...tmpfs(captureData, options.captureDiskBytes),
      }),
      Array.from({ length: options.stores ?? 2 }, () => new RoleProcess('store', common, around)),
      new RoleProcess('api', common),
      createClient({
        url: front.url,
        database: 'trunkscope',
        clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
      }),
    )
    const init = spawn(process.execPath, [TRUNKSCOPE, 'init', '--config', config])
    let output = ''
    for (const stream of [init.stdout, init.stderr]) stream.on('data', (chunk) => (output += chunk))
    const [code] = await once(init, 'exit')
    if (code !== 0) throw new Error(`trunkscope init ended with code ${code}:\n${output}`)
    await Promise.all(cluster.roles.map((role) => role.start()))
    return cluster
  }

  get broker(): KafkaBroker {
    return this.brokers[0]!
  }

  get roles(): RoleProcess[] {
    return [this.capture, ...this.stores, this.api]
  }

  /** One more store, as the others are; it is not among `stores`, and whoever starts it ends it. */
  anotherStore(): RoleProcess {
    const [store] = this.stores
    return new RoleProcess('store', store!.args, store!.surroundings)
  }

  get hepTcpPort(): number {
    return Number(this.capture.address('HEP tcp').split(':')[1])
  }

  async rows<Row = Record<string, unknown>>(query: string): Promise<Row[]> {
    return (await this.client.query({ query, format: 'JSONEachRow' })).json<Row>()
  }

  async json<T>(path: string): Promise<T> {
    const response = await fetch(`http://${this.api.address('page')}${path}`)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** Waits until the store holds so many distinct messages, and no minute is stale. The test's time limit bounds it. */
  async settled(messages: number): Promise<void> {
    for (;;) {
      const [row] = await this.rows<{ n: string }>('SELECT count() AS n FROM sip_messages FINAL')
      const waits = await Promise.all([
        this.capture.metric('trunkscope_spool_lag_bytes'),
        ...this.stores.map((store) => store.metric('trunkscope_store_stale_minutes')),
      ])
      if (Number(row?.n) >= messages && waits.every((wait) => wait === 0)) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async stop(): Promise<void> {
    for (const role of this.roles) await role.kill('SIGINT')
    await this.discard()
  }

  /** Ends everything, however it stands. */
  async discard(): Promise<void> {
    for (const role of this.roles) await role.kill()
    await this.client.close()
    await this.front.stop().catch(() => this.front.kill())
    for (const broker of this.brokers) await broker.kill()
    await this.wires?.kafka.stop()
    await this.wires?.clickhouse.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

interface Wires {
  kafka: TcpProxy
  clickhouse: TcpProxy
}

async function startWires(): Promise<Wires> {
  return { kafka: await TcpProxy.start(), clickhouse: await TcpProxy.start() }
}

async function startBrokers(options: ClusterOptions, wires: Wires | undefined): Promise<KafkaBroker[]> {
  if (options.brokers !== undefined) return KafkaBroker.startSeveral(options.brokers)
  const told = wires === undefined ? {} : { advertisedPort: wires.kafka.port }
  const broker = await KafkaBroker.start({ ...options.broker, ...told })
  if (wires !== undefined) wires.kafka.serverPort = broker.port
  return [broker]
}

/** A session of 30 s is right for a network and long for a test. */
export const SHORT_TIMINGS = {
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 10_000,
  heartbeatIntervalMs: 500,
  requestTimeoutMs: 5_000,
  metadataMaxAgeMs: 2_000,
  restartPauseMs: 500,
}

const TIMINGS = new URL('kafka-timings.mjs', import.meta.url)

function surroundingsOf({ timings }: ClusterOptions): Surroundings {
  if (timings === undefined) return {}
  return { nodeArgs: ['--import', TIMINGS.href], env: { TEST_KAFKA_TIMINGS: JSON.stringify(timings) } }
}

/** Seen by this process only, and gone with it. */
function tmpfs(folder: string, sizeBytes: number | undefined): Surroundings {
  if (sizeBytes === undefined) return {}
  mkdirSync(folder, { mode: 0o700 })
  return { mount: `mount -t tmpfs -o size=${sizeBytes},mode=700 tmpfs '${folder}'` }
}
