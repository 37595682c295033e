/** A real `trunkscope start` in a process of its own, from dist/, on free loopback ports: to be fed, asked and killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The built command, whether this file runs from the sources (tests) or is built itself (benches). */
const BUILT = ['../../bin/trunkscope.js', '../../dist/bin/trunkscope.js'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
)
export const TRUNKSCOPE = BUILT.find((path) => existsSync(path)) ?? ''

export interface CollectorOptions {
  dataDir: string
  config?: string
  hepUdp?: string
  env?: Record<string, string>
}

/** A test that fails leaves its collector behind: the end of the test process ends it. */
const started = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
})

export class CollectorProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly output: () => string,
    readonly hepUdpPort: number,
    readonly hepTcpPort: number,
    readonly http: string,
  ) {}

  static async start(options: CollectorOptions): Promise<CollectorProcess> {
    const args = [
      TRUNKSCOPE,
      'start',
      '--data',
      options.dataDir,
      '--hep-udp',
      options.hepUdp ?? '127.0.0.1:0',
      '--hep-tcp',
      '127.0.0.1:0',
      '--http',
      '127.0.0.1:0',
      ...(options.config ? ['--config', options.config] : []),
    ]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    })
    started.add(child)
    child.once('exit', () => started.delete(child))
    let output = ''
    const banner = new Promise<void>((resolve, reject) => {
      const take = (chunk: Buffer) => {
        output += chunk.toString()
        if (/page {6}http:.*\n/.test(output)) resolve()
      }
      child.stdout.on('data', take)
      child.stderr.on('data', take)
      child.once('exit', (code) => reject(new Error(`trunkscope start ended with code ${code}:\n${output}`)))
    })
    await banner
    const port = (label: string) => Number(new RegExp(`HEP ${label} +\\S*:(\\d+)`).exec(output)?.[1])
    const http = /page {6}(http:\/\/[^/\s]+)/.exec(output)?.[1] ?? ''
    return new CollectorProcess(child, () => output, port('udp'), port('tcp'), http)
  }

  async json<T>(path: string): Promise<T> {
    const response = await fetch(`${this.http}${path}`)
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** Value of one of the process's own metrics, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.http}/metrics`)).text()
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Waits until so many frames are accepted; the test's own time limit bounds it. */
  async accepted(frames: number): Promise<void> {
    while ((await this.metric('trunkscope_capture_frames_total')) < frames) await pause()
  }

  /** Waits until everything accepted is stored and no minute is stale. */
  async settled(): Promise<void> {
    for (;;) {
      const waiting =
        (await this.metric('trunkscope_spool_lag_bytes')) +
        (await this.metric('trunkscope_store_stale_minutes'))
      if (waiting === 0) return
      await pause()
    }
  }

  /** As the out-of-memory killer would: no chance to say goodbye. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exited
  }

  /** Ctrl-C: drains and stops; the exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.child, 'exit')
    this.child.kill('SIGINT')
    const [code] = await exited
    return code as number | null
  }
}

/** Between two looks at a process that has no way to call us. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 50))
