/**
 * A real Prometheus for tests, with samples given to it as blocks: nothing is scraped.
 *
 *   const test = needs('prometheus', 'promtool')     // Debian's `prometheus` package
 *   const prometheus = await Prometheus.start(openMetricsOf(families))
 *   const { status, body } = await prometheus.get('query', { query: '1+1', time: '4' })
 *   const { stdout } = await promtool('query', 'instant', url, 'up')     // against any server
 *   await prometheus.stop()
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { programPath } from './outside-programs.js'

const START_TIMEOUT_MS = 30_000

export interface Family {
  /** Without the suffixes that its type brings (`_total`, `_bucket` …). */
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  series: {
    /** With the full name of the metric as `__name__`. */
    labels: Readonly<Record<string, string>>
    /** In order of time. */
    samples: readonly (readonly [atS: number, value: number])[]
  }[]
}

/** Samples grouped by family, as OpenMetrics wants them. */
export function openMetricsOf(families: readonly Family[]): string {
  const lines: string[] = []
  for (const { name, type, series } of families) {
    lines.push(`# TYPE ${name} ${type}`)
    for (const { labels, samples } of series) {
      const { __name__: fullName, ...others } = labels
      const pairs = Object.entries(others).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
      const head = `${fullName}{${pairs.join(',')}}`
      for (const [atS, value] of samples) lines.push(`${head} ${numberText(value)} ${atS}`)
    }
  }
  return `${[...lines, '# EOF'].join('\n')}\n`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}

export interface PromtoolResult {
  code: number
  stdout: string
  stderr: string
}

export async function promtool(...args: string[]): Promise<PromtoolResult> {
  const child = spawn(programPath('promtool') ?? 'promtool', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, stdout, stderr }
}

export interface PromBody {
  status: 'success' | 'error'
  data?: { resultType: string; result: unknown }
  errorType?: string
  error?: string
}

export class Prometheus {
  readonly url: string
  readonly #folder: string
  readonly #process: ChildProcess

  private constructor(url: string, folder: string, process: ChildProcess) {
    this.url = url
    this.#folder = folder
    this.#process = process
  }

  static async start(openMetrics: string, flags: readonly string[] = []): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'trunkscope-prometheus-'))
    try {
      const [samples, data, config] = ['samples.om', 'data', 'prometheus.yml'].map((name) =>
        join(folder, name),
      )
      await writeFile(samples!, openMetrics)
      await writeFile(config!, '')
      const blocks = await promtool('tsdb', 'create-blocks-from', 'openmetrics', samples!, data!)
      if (blocks.code !== 0) throw new Error(`promtool could not make blocks: ${blocks.stderr}`)
      const port = await freePort()
      const args = [
        `--config.file=${config}`,
        `--storage.tsdb.path=${data}`,
        // Else blocks of the past are deleted at the start.
        '--storage.tsdb.retention.time=20y',
        `--web.listen-address=127.0.0.1:${port}`,
        ...flags,
      ]
      const child = spawn(programPath('prometheus') ?? 'prometheus', args, {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      await isReady(child)
      return new Prometheus(`http://127.0.0.1:${port}`, folder, child)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  async get(call: string, parameters: Record<string, string>): Promise<{ status: number; body: PromBody }> {
    // As a form: expressions may be long.
    const response = await fetch(`${this.url}/api/v1/${call}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    })
    return { status: response.status, body: (await response.json()) as PromBody }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGTERM')
      await once(this.#process, 'exit')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Its log says so. */
async function isReady(child: ChildProcess): Promise<void> {
  let log = ''
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`Prometheus did not start: ${why}\n${log}`))
    }
    const timer = setTimeout(() => fail(`not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS)
    child.once('error', ({ message }) => fail(message))
    child.once('exit', (code) => fail(`it ended with code ${code}`))
    child.stderr!.on('data', (chunk: Buffer) => {
      if (log.length < 100_000) log += chunk
      if (!log.includes('Server is ready to receive web requests')) return
      clearTimeout(timer)
      resolve()
    })
  })
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
