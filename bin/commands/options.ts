/** What the commands hand to the functions of `bin/run/`, and how the texts of the command line become it. */
import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { Endpoint } from '../connect/exposure.js'
import type { DoctorOptions } from './doctor.js'
import type { RecomputeCommandOptions } from './recompute.js'
import type { CaptureCommandOptions, InitOptions, RoleOptions } from './roles.js'

export interface ListenOptions {
  hepUdp: Endpoint
  hepTcp: Endpoint
  /** Undefined: no TLS. */
  hepTls?: Endpoint | undefined
  http: Endpoint
  /** Somebody said that frames may be taken from anyone. */
  insecure: boolean
}

export interface StartOptions extends ListenOptions {
  config: TrunkscopeConfig
  /** Where the configuration was read from; undefined without a file. */
  configPath: string | undefined
  /** Reads it again, for SIGHUP. */
  readConfig: () => TrunkscopeConfig
  dataDir: string
}

export interface DemoOptions extends ListenOptions {
  /** What the environment gives (tokens, bounds); the demo brings its own sites, carriers and customers. */
  config: TrunkscopeConfig
  dataDir: string
  seed: number
  callsPerSecond: number
}

export interface SendDemoOptions {
  seed: number
  callsPerSecond: number
  to: ReplayTarget
  agentKey: string | undefined
}

export interface ReplayOptions {
  files: string[]
  config: TrunkscopeConfig
  configPath: string | undefined
  into: { kind: 'folder'; dataDir: string } | ({ kind: 'agent' } & ReplayTarget)
  /** Print JSON and nothing else on stdout. */
  json: boolean
  /** Whose the messages of pcap files are said to be. */
  pcapAgent: { agentId: number; agentName: string }
}

export interface ReplayTarget extends Endpoint {
  transport: 'udp' | 'tcp'
}

/** The functions behind the commands; loaded when their command runs. */
export interface Runners {
  start(options: StartOptions): Promise<void>
  demo(options: DemoOptions): Promise<void>
  sendDemo(options: SendDemoOptions): Promise<void>
  replay(options: ReplayOptions): Promise<void>
  doctor(options: DoctorOptions): Promise<void>
  capture(options: CaptureCommandOptions): Promise<void>
  store(options: RoleOptions): Promise<void>
  api(options: RoleOptions): Promise<void>
  init(options: InitOptions): Promise<void>
  recompute(options: RecomputeCommandOptions): Promise<void>
}

/** A combination of options that makes no sense; printed like any other usage error. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'TRUNKSCOPE_USAGE'

  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message)
  }
}

const ENDPOINT_EXAMPLES = 'Write HOST:PORT, for example 127.0.0.1:9060 or [::1]:9060.'

/** "127.0.0.1:9060", "[::1]:9060", "sbc1.example:9060". An empty text (a variable nobody filled in) leaves the default. */
export function parseEndpoint(text: string, previous?: Endpoint): Endpoint {
  if (text === '' && previous !== undefined) return previous
  if (text.includes('://')) throw new InvalidArgumentError(`No scheme belongs here. ${ENDPOINT_EXAMPLES}`)
  if (isIP(text) === 6) {
    throw new InvalidArgumentError(`An IPv6 address stands in brackets, and a port follows: [${text}]:9060.`)
  }
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  const plain = /^([^:]*)(?::([^:]*))?$/.exec(text)
  const [, host, port] = bracketed ?? plain ?? []
  if (host === undefined || text === '') throw new InvalidArgumentError(ENDPOINT_EXAMPLES)
  if (bracketed !== null && isIP(host) !== 6) {
    throw new InvalidArgumentError(`"${host}" is no IPv6 address. ${ENDPOINT_EXAMPLES}`)
  }
  if (port === undefined) {
    throw new InvalidArgumentError(
      /^\d{1,5}$/.test(host)
        ? `The address is missing: write 127.0.0.1:${host}.`
        : `The port is missing: write ${bracketed === null ? host : `[${host}]`}:9060.`,
    )
  }
  if (host === '' || host === '*') {
    throw new InvalidArgumentError(
      `The address is missing: write 127.0.0.1:${port} for this machine only, 0.0.0.0:${port} or [::]:${port} for every address.`,
    )
  }
  if (bracketed === null && !isHost(host)) {
    throw new InvalidArgumentError(`"${host}" is neither an address nor a host name. ${ENDPOINT_EXAMPLES}`)
  }
  return { host, port: parsePort(port) }
}

/** The same for a listener that is off unless it is named: an empty text leaves it off. */
export function parseOptionalEndpoint(text: string, previous?: Endpoint): Endpoint | undefined {
  return text === '' ? previous : parseEndpoint(text)
}

function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIP(text) === 4
  return text.length <= 253 && /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(text)
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError(`"${text}" is no port. Write a number from 0 (any free port) to 65535.`)
  }
  return Number(text)
}

/** "udp://127.0.0.1:9060" or "tcp://[::1]:9060". */
export function parseTarget(text: string): ReplayTarget {
  const [, transport, rest] = /^(\w+):\/\/([^/]*)\/?$/.exec(text) ?? []
  if ((transport !== 'udp' && transport !== 'tcp') || rest === undefined) {
    throw new InvalidArgumentError(
      'Write udp://HOST:PORT or tcp://HOST:PORT, for example udp://127.0.0.1:9060.',
    )
  }
  const endpoint = parseEndpoint(rest)
  if (endpoint.port === 0)
    throw new InvalidArgumentError('Port 0 cannot be sent to. Write the port it listens on.')
  return { transport, ...endpoint }
}

export function parseFolder(text: string, previous?: string): string {
  if (text !== '') return text
  if (previous !== undefined) return previous
  throw new InvalidArgumentError('The name of the folder is empty.')
}

export function parseSeed(text: string, previous?: number): number {
  if (text === '' && previous !== undefined) return previous
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffff_ffff) {
    throw new InvalidArgumentError('Write a whole number from 0 to 4294967295.')
  }
  return Number(text)
}

export function parseRate(text: string, previous?: number): number {
  if (text === '' && previous !== undefined) return previous
  const rate = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || rate <= 0 || rate > 10_000) {
    throw new InvalidArgumentError(
      'Write a number of calls per second above 0 and up to 10000, for example 5.',
    )
  }
  return rate
}

/** Whether a variable that stands for a flag is on. */
export function isOn(text: string | undefined): boolean {
  return text !== undefined && /^(1|true|yes|on)$/i.test(text)
}
