/**
 * End to end: frames over UDP into a real collector process, stored and folded, with the generator beside it.
 *
 *   node dist/bench/end-to-end.js [--rate 30000] [--seconds 60] [--data DIR]
 *
 * The generator proves its own rate; every frame it sends is distinct. After the last one the collector is given the time
 * it needs, then stopped, and the store is counted: sent = stored + Σ counted drops, or the run says by how much not.
 * CPU is the collector's (capture, fold, engine, api), from the socket to ClickHouse, the generator's apart.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openEmbeddedEngine } from '../bin/connect/clickhouse.js'
import { DEMO_CONFIG } from '../bin/demo/network.js'
import { CollectorProcess } from '../test/support/collector-process.js'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '30000' },
    seconds: { type: 'string', default: '60' },
    data: { type: 'string' },
  },
})

interface GeneratorResult {
  framesSent: number
  callsBegun: number
  cpuSeconds: number
  framesPerSecond: number
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 100))

const folder = values.data ?? mkdtempSync(join(tmpdir(), 'trunkscope-bench-'))
try {
  await run(folder)
} finally {
  if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
}

async function run(folder: string): Promise<void> {
  const config = join(folder, 'network.json')
  const dataDir = join(folder, 'data')
  writeFileSync(config, JSON.stringify(DEMO_CONFIG))
  const collector = await CollectorProcess.start({ dataDir, config })
  const pid = collector.child.pid as number
  const generator = startGenerator(`udp://127.0.0.1:${collector.hepUdpPort}`)
  await generator.ready
  const steal = stealTicks()
  const cpuBefore = cpuSeconds(pid)
  const startedMs = performance.now()
  generator.go()
  const rss = watchRss(pid)
  const lag = watchLag(collector, Number(values.seconds))
  const sent = await generator.result
  const sentMs = performance.now()
  const refused = async () => collector.metric('trunkscope_dropped_total')
  while ((await collector.metric('trunkscope_capture_frames_total')) + (await refused()) < sent.framesSent) {
    if (performance.now() - sentMs > 10_000) break
    await pause()
  }
  await collector.settled()
  const settledMs = performance.now()
  const cpu = cpuSeconds(pid) - cpuBefore
  const accepted = await collector.metric('trunkscope_capture_frames_total')
  const kernelDrops = await collector.metric('trunkscope_capture_kernel_drops_total')
  const droppedByUs = await refused()
  const peak = rss.stop()
  const lags = await lag
  await collector.stop()
  const stored = await count(dataDir)
  const lines: [string, string | number][] = [
    [
      'machine',
      `${cpus().length} cores, ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}, steal ${stealTicks() - steal} ticks`,
    ],
    ['sent', sent.framesSent],
    ['rate sent, frames/s', Math.round(sent.framesPerSecond)],
    ['accepted', accepted],
    ['kernel drops', kernelDrops],
    ['refused and dropped, all reasons', droppedByUs],
    ['messages stored (distinct rows)', stored.messages],
    ['attempts stored / calls sent', `${stored.attempts} / ${sent.callsBegun}`],
    ['sent − stored − dropped', sent.framesSent - stored.messages - Math.max(droppedByUs, kernelDrops)],
    ['spool lag after each third of the time, MB', lags.map((bytes) => (bytes / 1e6).toFixed(0)).join(', ')],
    ['stored and folded after the last frame, s', ((settledMs - sentMs) / 1_000).toFixed(1)],
    ['frames/s, first frame to all stored', Math.round(stored.messages / ((settledMs - startedMs) / 1_000))],
    ['CPU of the collector, µs a frame', ((cpu * 1e6) / stored.messages).toFixed(1)],
    ['CPU of the generator, s', sent.cpuSeconds.toFixed(1)],
    ['peak RSS, MB', Math.round(peak / 1_000)],
    ['bytes on disk a message (raw table)', (stored.bytes / stored.messages).toFixed(1)],
  ]
  for (const [name, value] of lines) process.stdout.write(`${name.padEnd(44)} ${value}\n`)
}

function startGenerator(to: string) {
  const script = fileURLToPath(new URL('./generator.js', import.meta.url))
  const args = [script, '--to', to, '--rate', values.rate, '--seconds', values.seconds, '--wait']
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })
  let ready: () => void = () => {}
  let done: (result: GeneratorResult) => void = () => {}
  lines.on('line', (line) => {
    const said = JSON.parse(line) as { event: string } & GeneratorResult
    if (said.event === 'ready') ready()
    else done(said)
  })
  return {
    ready: new Promise<void>((resolve) => {
      ready = resolve
    }),
    result: new Promise<GeneratorResult>((resolve, reject) => {
      done = resolve
      void once(child, 'exit').then(
        ([code]) => code !== 0 && reject(new Error(`the generator ended with code ${code}`)),
      )
    }),
    go: () => child.stdin?.write('\n'),
  }
}

async function count(dataDir: string): Promise<{ messages: number; attempts: number; bytes: number }> {
  const engine = openEmbeddedEngine(dataDir)
  const ask = async (query: string) => {
    const result = await engine.writer.query({ query, format: 'JSONEachRow' })
    return Number((await result.json<{ n: string }>())[0]?.n)
  }
  try {
    return {
      messages: await ask('SELECT count() AS n FROM sip_messages FINAL'),
      attempts: await ask("SELECT count() AS n FROM call_attempts FINAL WHERE state != 'fragment'"),
      bytes: await ask(
        "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'sip_messages'",
      ),
    }
  } finally {
    await engine.close()
  }
}

/** User and system time of all threads of a process, seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function stealTicks(): number {
  return Number(readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/)[8])
}

/** What waits in the spool after each third of the sending: a rate that is sustained leaves it where it was. */
async function watchLag(collector: CollectorProcess, seconds: number): Promise<number[]> {
  const lags: number[] = []
  for (let third = 0; third < 3; third++) {
    await new Promise((resolve) => setTimeout(resolve, (seconds * 1_000) / 3))
    lags.push(await collector.metric('trunkscope_spool_lag_bytes'))
  }
  return lags
}

/** Highest resident size, kB. */
function watchRss(pid: number) {
  let peak = 0
  const look = () => {
    const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    peak = Math.max(peak, Number(found?.[1] ?? 0))
  }
  const timer = setInterval(look, 250)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return peak
    },
  }
}
