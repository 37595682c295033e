/**
 * How a process reaches the brokers: what `kafka` in trunkscope.yaml says, as kafkajs wants it.
 *
 * Certificates and the password stand in files and are read here, once; a file that cannot be read is an error with a code.
 * kafkajs has a logger of its own: its lines go to the caller's log, as `debug` where they tell of a state that it waits out
 * (a coordinator that is still loading, a rebalance, a broker that is away) and the caller hears of failing work anyway.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import {
  type Admin,
  Kafka,
  type KafkaConfig,
  type KafkaJSProtocolError,
  type LogEntry,
  logLevel,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import { BusError } from './bus-error.js'

export type KafkaSettings = NonNullable<TrunkscopeConfig['kafka']>
export type BusLog = (level: 'debug' | 'info' | 'warn' | 'error', sentence: string) => void

/** Tests shorten them. */
export interface KafkaTimings {
  connectionTimeoutMs: number
  requestTimeoutMs: number
  /** How often kafkajs tries again before it gives up, and after how long at first. */
  retries: number
  retryPauseMs: number
  metadataMaxAgeMs: number
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  heartbeatIntervalMs: number
  /** How long the broker holds a fetch that finds nothing. */
  fetchWaitMs: number
  /** Before a consumer that failed is made anew; it doubles up to ten times this. */
  restartPauseMs: number
}

export const KAFKA_TIMINGS: KafkaTimings = {
  connectionTimeoutMs: 10_000, // The default of 1 s is short for another site over TLS.
  requestTimeoutMs: 30_000,
  retries: 5,
  retryPauseMs: 300,
  metadataMaxAgeMs: 60_000,
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  heartbeatIntervalMs: 3_000,
  fetchWaitMs: 500,
  restartPauseMs: 1_000,
}

const FAREWELL_MAX_MS = 5_000

/** Makes clients: each consumer gets one of its own, because those of one client share what they know of offsets. */
export class KafkaConnection {
  readonly #config: KafkaConfig

  private constructor(
    readonly settings: KafkaSettings,
    readonly timings: KafkaTimings,
    readonly log: BusLog,
    secrets: Pick<KafkaConfig, 'ssl' | 'sasl'>,
    clientId: string,
  ) {
    this.#config = {
      clientId,
      brokers: settings.brokers,
      ...secrets,
      connectionTimeout: timings.connectionTimeoutMs,
      authenticationTimeout: timings.connectionTimeoutMs,
      requestTimeout: timings.requestTimeoutMs,
      retry: this.retry,
      logLevel: logLevel.INFO,
      logCreator: () => (entry) => log(levelOf(entry), sentenceOf(entry)),
    }
  }

  static async open(
    settings: KafkaSettings,
    clientId: string,
    log: BusLog,
    timings: Partial<KafkaTimings> = {},
  ): Promise<KafkaConnection> {
    silenceNegativeTimeouts()
    const secrets = { ssl: await sslOf(settings), sasl: await saslOf(settings) }
    if (settings.sasl?.mechanism === 'plain' && settings.tls === undefined) {
      log('warn', 'kafka.sasl sends the password in the clear: set kafka.tls, or use scram-sha-512.')
    }
    return new KafkaConnection(settings, { ...KAFKA_TIMINGS, ...timings }, log, secrets, clientId)
  }

  /** Said in full: kafkajs has other defaults where NODE_ENV is "test". */
  get retry(): Required<Omit<RetryOptions, 'restartOnFailure'>> {
    const { retries, retryPauseMs } = this.timings
    return { retries, initialRetryTime: retryPauseMs, maxRetryTime: 30_000, factor: 0.2, multiplier: 2 }
  }

  client(): Kafka {
    return new Kafka(this.#config)
  }

  /** Something short with an admin client of its own. */
  async withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.client().admin()
    try {
      await admin.connect()
      return await work(admin)
    } finally {
      await this.orTimeout(admin.disconnect())
    }
  }

  /** A farewell; of brokers that hang it is not waited for. Nothing hangs on it: what was not acknowledged is sent again. */
  async orTimeout(farewell: Promise<unknown>): Promise<void> {
    const timer = new AbortController()
    const timeout = pause(FAREWELL_MAX_MS, undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([farewell.catch(() => {}), timeout])
    timer.abort()
  }

  /** What went wrong, as an error with a code: ours as it is, the client's as "unreachable". */
  busError(error: unknown): BusError {
    if (error instanceof BusError) return error
    return new BusError(
      'TRUNKSCOPE_BUS_UNREACHABLE',
      `Kafka at ${this.settings.brokers.join(', ')} cannot be used: ${(error as Error).message}. Check kafka.brokers, that ` +
        'the brokers run, and what they advertise (advertised.listeners).',
      { cause: error },
    )
  }
}

/** The name that Kafka gives the error ('REBALANCE_IN_PROGRESS'), however often kafkajs wrapped it; '' without one. */
export function kafkaErrorType(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { type } = at as Partial<KafkaJSProtocolError>
    if (typeof type === 'string') return type
  }
  return ''
}

async function sslOf({ tls }: KafkaSettings): Promise<ConnectionOptions | undefined> {
  if (tls === undefined) return undefined
  return {
    ca: tls.ca_file && [await secret('kafka.tls.ca_file', tls.ca_file)],
    cert: tls.cert_file && (await secret('kafka.tls.cert_file', tls.cert_file)),
    key: tls.key_file && (await secret('kafka.tls.key_file', tls.key_file)),
  }
}

async function saslOf({ sasl }: KafkaSettings): Promise<SASLOptions | undefined> {
  if (sasl === undefined) return undefined
  const { mechanism, username } = sasl
  const password = (await secret('kafka.sasl.password_file', sasl.password_file)).replace(/\r?\n$/, '')
  return { mechanism, username, password } as SASLOptions
}

async function secret(key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new BusError(
      'TRUNKSCOPE_BUS_SECRET_UNREADABLE',
      `Cannot read ${path} (${(error as NodeJS.ErrnoException).code}), which ${key} names. Put the file there, readable by ` +
        'the user this process runs as.',
      { cause: error },
    )
  }
}

const PASSING =
  /coordinator|rebalanc|not aware of this member|does not host this topic|not the leader|connection|ECONNREFUSED|disconnected|request .*timed out|failed to (connect|send)/i

function levelOf({ level, log }: LogEntry): 'debug' | 'info' | 'warn' | 'error' {
  if (level !== logLevel.ERROR && level !== logLevel.WARN) return 'debug'
  if (PASSING.test(`${log.message} ${log.error ?? ''}`)) return 'debug'
  return level === logLevel.ERROR ? 'error' : 'warn'
}

function sentenceOf({ namespace, log }: LogEntry): string {
  const detail = log.error === undefined || log.message.includes(log.error) ? '' : ` (${log.error})`
  return `kafka ${namespace}: ${log.message}${detail}`
}

let isSilenced = false

/** kafkajs gives timers a negative time now and then, of which Node 24 warns (kafkajs#1751): that one warning is left out. */
function silenceNegativeTimeouts(): void {
  if (isSilenced) return
  isSilenced = true
  const emitWarning = process.emitWarning as (...args: unknown[]) => void
  process.emitWarning = (...args: unknown[]) => {
    const [warning, type] = args
    const name =
      warning instanceof Error
        ? warning.name
        : typeof type === 'string'
          ? type
          : (type as { type?: string })?.type
    if (name !== 'TimeoutNegativeWarning') emitWarning.call(process, ...args)
  }
}
