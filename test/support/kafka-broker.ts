/**
 * A real Kafka broker for tests: KRaft, one node or several, on free loopback ports, from the jars of Maven Central. To be
 * killed, hung, restarted and wiped.
 *
 *   const unmet = await kafkaUnmet()          // fetches the jars once into ~/.cache/trunkscope-test
 *   const test = needsAll(unmet)              // "not run: needs java", or a failure where everything is required
 *   const broker = await KafkaBroker.start()  // broker.bootstrap is "127.0.0.1:PORT"
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { missingPrograms, programPath } from './outside-programs.js'

/** From the root of the project, where tests and benches are started. */
const POM = join('test', 'support', 'kafka', 'pom.xml')
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
const START_TIMEOUT_MS = 60_000

function kafkaVersion(): string {
  const [, version] = /kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(readFileSync(POM, 'utf8')) ?? []
  if (version === undefined) throw new Error(`${POM} names no version of kafka_2.13`)
  return version
}

function jarFolder(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  return join(cache, 'trunkscope-test', `kafka-${kafkaVersion()}`)
}

/** What is missing for a broker, in words; empty when one can be started. */
export async function kafkaUnmet(): Promise<string[]> {
  const folder = jarFolder()
  const missing = existsSync(folder) ? missingPrograms('java') : missingPrograms('java', 'mvn')
  if (missing.length > 0 || existsSync(folder)) return missing
  const fault = await fetchJars(folder)
  return fault === '' ? [] : [`the jars of Kafka (${fault})`]
}

/** Into a folder of its own, then renamed: several test processes may get here at once. Returns why it failed, or ''. */
async function fetchJars(folder: string): Promise<string> {
  await mkdir(dirname(folder), { recursive: true })
  const partial = await mkdtemp(`${folder}-partial-`)
  try {
    const args = ['-q', '-B', '-f', POM, DEPENDENCY_PLUGIN, `-DoutputDirectory=${partial}`]
    const mvn = spawn(programPath('mvn') ?? 'mvn', [...args, '-DincludeScope=runtime'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = outputOf(mvn)
    const [code] = (await once(mvn, 'close')) as [number | null]
    if (code !== 0) return `mvn ended with code ${code}: ${/\[ERROR\] (.{0,200})/.exec(output())?.[1] ?? ''}`
    await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(folder)) throw error // Else another process was faster.
    })
    return ''
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

export interface KafkaBrokerOptions {
  port?: number
  /** Where its data lies; a temporary folder, removed by `stop`, when left out. */
  folder?: string
  /** Lines for server.properties, over those of the test. */
  properties?: Record<string, string>
  /** What clients are told, where something stands between them and the broker. */
  advertisedPort?: number
  /** Clients must say who they are, by SCRAM-SHA-256. */
  scram?: { username: string; password: string }
}

/** A node among others; all know all controllers. */
interface Node {
  id: number
  port: number
  controllerPort: number
  /** `id@host:port` of every node. */
  voters: string
  clusterId: string
  heapMaxMiB: number
}

/** A test that fails leaves its broker behind: the end of the test process ends it. */
const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export class KafkaBroker {
  readonly #folder: string
  readonly #ownsFolder: boolean
  readonly #options: KafkaBrokerOptions
  readonly #node: Node
  #child: ChildProcess | undefined

  private constructor(folder: string, node: Node, options: KafkaBrokerOptions) {
    this.#folder = folder
    this.#ownsFolder = options.folder === undefined
    this.#node = node
    this.#options = options
  }

  static async start(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
    const port = options.port ?? (await freePort())
    const controllerPort = await freePort()
    const voters = `1@127.0.0.1:${controllerPort}`
    const node = { id: 1, port, controllerPort, voters, clusterId: newClusterId(), heapMaxMiB: 384 }
    const broker = await KafkaBroker.#prepared(node, options)
    await broker.#launch()
    return broker
  }

  /** Nodes of one cluster, each broker and controller; topics of the brokers themselves are on all of them. */
  static async startSeveral(count: number): Promise<KafkaBroker[]> {
    const ports = await Promise.all(Array.from({ length: 2 * count }, freePort))
    const controllers = ports.slice(count)
    const voters = controllers.map((port, at) => `${at + 1}@127.0.0.1:${port}`).join(',')
    const clusterId = newClusterId()
    const properties = {
      'offsets.topic.replication.factor': String(count),
      'controlled.shutdown.enable': 'false',
    }
    const brokers = await Promise.all(
      controllers.map((controllerPort, at) =>
        KafkaBroker.#prepared(
          { id: at + 1, port: ports[at]!, controllerPort, voters, clusterId, heapMaxMiB: 256 },
          { properties },
        ),
      ),
    )
    await Promise.all(brokers.map((broker) => broker.#launch()))
    return brokers
  }

  static async #prepared(node: Node, options: KafkaBrokerOptions): Promise<KafkaBroker> {
    const unmet = await kafkaUnmet()
    if (unmet.length > 0) throw new Error(`no broker without ${unmet.join(' and ')}`)
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'trunkscope-kafka-')))
    const broker = new KafkaBroker(folder, node, options)
    if (!existsSync(join(folder, 'data', 'meta.properties'))) await broker.#format()
    return broker
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Where it listens. */
  get port(): number {
    return this.#node.port
  }

  /** Where clients find it. */
  get bootstrap(): string {
    return `127.0.0.1:${this.#options.advertisedPort ?? this.#node.port}`
  }

  /** Ends it in good order and removes its data, if they lie in a folder of the broker's own. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGCONT') // A stopped process would not hear of its end.
      child.kill('SIGTERM')
      const forced = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await once(child, 'exit')
      clearTimeout(forced)
    }
    this.#child = undefined
    if (this.#ownsFolder) await rm(this.#folder, { recursive: true, force: true })
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** It accepts connections and never answers. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** On the same port, with the same data; killed first if it runs. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#launch()
  }

  /** Killed, and its data are gone; `restart` brings it back empty. */
  async wipe(): Promise<void> {
    await this.kill()
    await rm(join(this.#folder, 'data'), { recursive: true, force: true })
    await this.#format()
  }

  async #format(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    await writeFile(this.#propertiesFile, this.#serverProperties())
    const { scram } = this.#options
    const child = this.#java([
      'kafka.tools.StorageTool',
      'format',
      '-t',
      this.#node.clusterId,
      '-c',
      this.#propertiesFile,
      ...(scram === undefined
        ? []
        : ['--add-scram', `SCRAM-SHA-256=[name=${scram.username},password=${scram.password}]`]),
    ])
    const output = outputOf(child)
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`StorageTool ended with code ${code}:\n${output()}`)
  }

  async #launch(): Promise<void> {
    const child = this.#java(['kafka.Kafka', this.#propertiesFile])
    this.#child = child
    const output = outputOf(child)
    await new Promise<void>((resolve, reject) => {
      const timeout = setTimeout(() => {
        child.kill('SIGKILL')
        reject(new Error(`the broker did not start in ${START_TIMEOUT_MS / 1_000} s:\n${output()}`))
      }, START_TIMEOUT_MS)
      const settle = (done: () => void) => {
        clearTimeout(timeout)
        child.stderr?.off('data', look)
        child.off('exit', ended)
        done()
      }
      const look = () => {
        if (output().includes('Kafka Server started')) settle(resolve)
      }
      const ended = (code: number | null) =>
        settle(() => reject(new Error(`the broker ended with code ${code}:\n${output()}`)))
      child.stderr?.on('data', look)
      child.once('exit', ended)
    })
  }

  #java(args: string[]): ChildProcess {
    const child = spawn(
      programPath('java') ?? 'java',
      [
        '-Xms128m',
        `-Xmx${this.#node.heapMaxMiB}m`,
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1', // A test's broker lives for seconds: starting fast is worth more than running fast.
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
        '-cp',
        join(jarFolder(), '*'),
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    started.add(child)
    child.once('exit', () => started.delete(child))
    return child
  }

  get #propertiesFile(): string {
    return join(this.#folder, 'server.properties')
  }

  #serverProperties(): string {
    const { id, port, controllerPort, voters } = this.#node
    const { advertisedPort, scram } = this.#options
    const clients = scram === undefined ? 'PLAINTEXT' : 'SASL_PLAINTEXT'
    const properties: Record<string, string> = {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.voters': voters,
      listeners: `${clients}://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `${clients}://127.0.0.1:${advertisedPort ?? port}`,
      'inter.broker.listener.name': clients,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': `${clients}:${clients},CONTROLLER:PLAINTEXT`,
      'log.dirs': join(this.#folder, 'data'),
      'auto.create.topics.enable': 'false',
      'offsets.topic.num.partitions': '1',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
      'group.min.session.timeout.ms': '1000',
      // A broker that was killed may come back when its old session is over.
      'broker.session.timeout.ms': '1000',
      'broker.heartbeat.interval.ms': '200',
      ...(scram === undefined ? {} : scramProperties(scram)),
      ...this.#options.properties,
    }
    return Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
  }
}

function scramProperties({ username, password }: NonNullable<KafkaBrokerOptions['scram']>) {
  const login = `username="${username}" password="${password}"`
  return {
    'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-256',
    'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required ${login};`,
  }
}

/** 16 bytes in base64url; one that begins with '-' would be taken for an option. */
const newClusterId = () => `T${randomBytes(16).toString('base64url').slice(1)}`

function outputOf(child: ChildProcess): () => string {
  let text = ''
  const take = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-20_000)
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  return () => text
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
