// tidy: tested by test/pipeline/demo.test.ts
/**
 * `trunkscope demo`: the embedded mode, fed with invented calls through the socket that agents use.
 *
 * The generator is a process of its own: it fills the last hour in over TCP, then goes on live over UDP. A demo that was
 * stopped goes on where it was: only the time since is filled in.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { configSchema } from '../../schemas/config.js'
import type { DemoOptions } from '../commands/options.js'
import { type DemoCertificates, demoCertificates } from '../demo/certificates.js'
import type { FeedReport } from '../demo/feed.js'
import { DEMO_CONFIG } from '../demo/network.js'
import { describeProgress, ProgressLine } from '../demo/progress.js'
import { DEMO_CONTRACTS } from '../demo/signers.js'
import { type Embedded, startEmbedded } from './embedded.js'
import { type Log, processLog } from './log.js'
import { untilStopped } from './until-stopped.js'

const BACKFILL_MAX_S = 3_600
const SENDER = fileURLToPath(new URL('../demo/sender.js', import.meta.url))

export async function runDemo(options: DemoOptions): Promise<void> {
  const log = processLog()
  const signing = signingIn(options.dataDir, log)
  const config = { ...options.config, ...networkWith(signing) }
  // A past that is filled in by half would page somebody.
  let onFilledIn = () => {}
  const alertsAfter = new Promise<void>((resolve) => {
    onFilledIn = resolve
  })
  const embedded = await startEmbedded({ ...options, config, demo: true, log, alertsAfter })
  const say = (text: string) => process.stdout.write(`${text}\n`)
  say(banner(options, embedded))
  const sender = startSender(options, embedded, config.agent_key, signing?.keys)
  const progress = new ProgressLine(process.stdout)
  let isStopping = false
  createInterface({ input: sender.stdout! }).on('line', (line) => {
    const report = JSON.parse(line) as { event: string; message?: string } & FeedReport
    if (report.event === 'failed') log('error', `the demo's traffic ended: ${report.message}`)
    if (report.event !== 'progress') return
    if (report.done || report.phase === 'live') onFilledIn()
    if (report.phase !== 'backfill') return
    if (report.done) progress.end(`${describeProgress(report)} Live now.`)
    else progress.show(describeProgress(report))
  })
  sender.on('exit', (code) => {
    if (!isStopping && code !== 0)
      log('error', `the demo's traffic ended with code ${code}; the page stays up`)
  })
  const ended = new Promise((resolve) => sender.once('exit', resolve))
  await untilStopped(
    {
      ...embedded,
      stop: async () => {
        isStopping = true
        sender.kill('SIGTERM')
        if (sender.exitCode === null) await ended
        await embedded.stop()
      },
    },
    say,
  )
}

/** undefined: nothing can be written there, and whoever opens the folder says so. */
function signingIn(dataDir: string, log: Log): DemoCertificates | undefined {
  try {
    return demoCertificates(resolve(dataDir, 'signers'), Date.now())
  } catch (error) {
    log('warn', `the demo's calls are not signed: ${(error as Error).message}`)
    return undefined
  }
}

/** The demo's network; with certificates also who may sign for whom, and where the certificates are. */
function networkWith(signing: DemoCertificates | undefined) {
  const { sites, carriers, customers, slos } = configSchema.parse(DEMO_CONFIG)
  if (signing === undefined) return { sites, carriers, customers, slos }
  const { certificates, roots } = signing
  return {
    sites,
    carriers: carriers.map((carrier) => ({ ...carrier, spcs: [...(DEMO_CONTRACTS[carrier.id] ?? [])] })),
    customers,
    slos,
    identity: { certificates, roots, fetch: { enabled: false, hosts: [] } },
  }
}

function startSender(
  options: DemoOptions,
  embedded: Embedded,
  agentKey: string | undefined,
  keys: string | undefined,
): ChildProcess {
  const asOfUs = embedded.live().asOfUs
  const sinceS = asOfUs === 0 ? BACKFILL_MAX_S : Math.ceil(Date.now() / 1_000 - asOfUs / 1_000_000)
  const backfillS = Math.max(0, Math.min(BACKFILL_MAX_S, sinceS))
  const { hepTcp, hepUdp } = embedded.listening
  const args = [
    SENDER,
    '--to',
    `tcp://${reachable(hepTcp)}`,
    '--live',
    `udp://${reachable(hepUdp)}`,
    '--seed',
    String(options.seed),
    '--rate',
    String(options.callsPerSecond),
    '--backfill-s',
    String(backfillS),
    ...(keys === undefined ? [] : ['--keys', keys]),
  ]
  const env = agentKey === undefined ? process.env : { ...process.env, TRUNKSCOPE_AGENT_KEY: agentKey }
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
}

/** A socket bound to every address is reached through loopback. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}

function banner(options: DemoOptions, embedded: Embedded): string {
  const { hepUdp, http } = embedded.listening
  return `Trunkscope demo: six invented carriers, four sites; one carrier is going bad
  page      http://${http}/
  try       curl 'http://${http}/v1/kpis?group_by=carrier&kpi=pre_ring_487_rate,pdd_p95'
  API docs  http://${http}/openapi.json
  HEP       ${hepUdp} (udp and tcp): real agents may send here too
  data      ${options.dataDir} (demo data: delete the folder to start anew)
Ctrl-C stops it.`
}
