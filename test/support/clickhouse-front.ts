/**
 * A ClickHouse server for tests: the real engine (chdb) behind the HTTP interface that @clickhouse/client speaks, in a
 * process of its own, so that it can be slow, refuse, cut connections, be killed and come back on the same folder and port.
 *
 * What it does not prove stands in docs/clickhouse.md and at the head of `clickhouse-front-process.ts`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface FrontUser {
  name: string
  password: string
  /** As a profile with readonly = 2: reads, and settings of its own. */
  readonly?: boolean
}

export interface FrontOptions {
  folder?: string
  port?: number
  users: FrontUser[]
  /** Statements that run side by side for users who may write; two more for those who only read. */
  connections?: number
  /** PEM; null: plain HTTP. */
  tls?: { cert: string; key: string } | null
  /** What runs it, with its arguments; it must leave the front the direct child. */
  under?: string[]
}

export type RefusedWith =
  | 'TOO_MANY_PARTS'
  | 'MEMORY_LIMIT_EXCEEDED'
  | 'NOT_ENOUGH_SPACE'
  | 'TABLE_IS_READ_ONLY'

export interface FrontCommand {
  id: number
  name:
    | 'slow'
    | 'refuse'
    | 'cutAfterWrite'
    | 'cutBefore'
    | 'failMidStream'
    | 'hang'
    | 'clear'
    | 'struck'
    | 'down'
    | 'up'
    | 'stop'
  values: (string | number)[]
}

export interface FrontReply {
  id: number
  value: unknown
}

/** Whether this file runs from the sources (tests) or is built itself (benches). */
const IS_BUILT = import.meta.url.endsWith('.js')
const PROCESS = fileURLToPath(new URL(`clickhouse-front-process.${IS_BUILT ? 'js' : 'ts'}`, import.meta.url))
/** For child processes of tests that are TypeScript. */
export const TYPESCRIPT_LOADER = ['--import', new URL('typescript-loader.mjs', import.meta.url).href]

const DEFAULT_USERS: FrontUser[] = [{ name: 'default', password: '' }]
const FOR_EVER = Number.MAX_SAFE_INTEGER

/** A test that fails leaves its front behind: the end of the test process ends it. */
const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export class ClickHouseFront {
  readonly #options: Required<FrontOptions>
  readonly #isOwnFolder: boolean
  readonly #asked = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  #child: ChildProcess | undefined
  #commands = 0

  private constructor(options: Partial<FrontOptions>) {
    this.#isOwnFolder = options.folder === undefined
    this.#options = {
      folder: options.folder ?? mkdtempSync(join(tmpdir(), 'trunkscope-front-')),
      port: options.port ?? 0,
      users: options.users ?? DEFAULT_USERS,
      connections: options.connections ?? 4,
      tls: options.tls ?? null,
      under: options.under ?? [],
    }
  }

  static async start(options: Partial<FrontOptions> = {}): Promise<ClickHouseFront> {
    const front = new ClickHouseFront(options)
    await front.#fork()
    return front
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get url(): string {
    return `${this.#options.tls === null ? 'http' : 'https'}://127.0.0.1:${this.#options.port}`
  }

  get folder(): string {
    return this.#options.folder
  }

  /** Each holds until it has struck so many times, or until `clear`. Inserts are what refuse and cut are about. */
  readonly faults = {
    /** Every answer comes later; bodies are read and written at a rate. */
    slow: (delayMs: number, bytesPerSecond = 0) => this.#ask('slow', [delayMs, bytesPerSecond]),
    refuse: (code: RefusedWith, count = FOR_EVER) => this.#ask('refuse', [code, count]),
    /** The rows are stored, and nobody is told. */
    cutAfterWrite: (count: number) => this.#ask('cutAfterWrite', [count]),
    cutBefore: (count: number) => this.#ask('cutBefore', [count]),
    /** Half of the rows with status 200, then an exception. */
    failMidStream: (count: number) => this.#ask('failMidStream', [count]),
    /** Takes the statement and never answers; it does not run. */
    hang: (count: number) => this.#ask('hang', [count]),
    /** Stops listening and cuts every connection; the engine stays. */
    down: () => this.#ask('down'),
    up: () => this.#ask('up'),
    clear: () => this.#ask('clear'),
  }

  /** How often each fault came true. */
  async struck(): Promise<Record<string, number>> {
    return (await this.#ask('struck')) as Record<string, number>
  }

  /** As the out-of-memory killer would. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** After `kill`, or by it: the same folder, the same port. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#fork()
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) {
      const exited = once(this.#child, 'exit')
      await this.#ask('stop')
      await exited
    }
    if (this.#isOwnFolder) rmSync(this.#options.folder, { recursive: true, force: true })
  }

  async #fork(): Promise<void> {
    const loader = IS_BUILT ? [] : TYPESCRIPT_LOADER
    const [program, ...args] = [...this.#options.under, process.execPath, ...loader]
    const child = fork(PROCESS, [JSON.stringify(this.#options)], {
      execPath: program!,
      execArgv: args,
      // A thread of libuv's pool is held by every statement that runs.
      env: { ...process.env, UV_THREADPOOL_SIZE: String(this.#options.connections + 6) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    started.add(child)
    child.once('exit', (code) => {
      started.delete(child)
      if (this.#child === child) this.#child = undefined
      for (const { reject } of this.#asked.values()) reject(new Error(`the front ended with code ${code}`))
      this.#asked.clear()
    })
    child.on('message', ({ id, value }: FrontReply) => {
      this.#asked.get(id)?.resolve(value)
      this.#asked.delete(id)
    })
    // The first message, number 0, is the port.
    const listening = new Promise<unknown>((resolve, reject) => this.#asked.set(0, { resolve, reject }))
    this.#options.port = (await listening) as number
  }

  #ask(name: FrontCommand['name'], values: FrontCommand['values'] = []): Promise<unknown> {
    const child = this.#child
    if (child === undefined) throw new Error('the front does not run')
    return new Promise((resolve, reject) => {
      const id = ++this.#commands
      this.#asked.set(id, { resolve, reject })
      child.send({ id, name, values } satisfies FrontCommand)
    })
  }
}
