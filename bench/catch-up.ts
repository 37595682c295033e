/**
 * A store outage in the embedded mode, and how long it takes to catch up with ingest on; beside it, freshness.
 *
 *   node dist/bench/catch-up.js [--rate 20000] [--outage 600] [--warm-up 30]
 *
 * The outage is real: the folder through which rows reach the engine is taken away, so every insert fails and is tried again,
 * while capture goes on into the spool. Then it is put back. Caught up is when the spool holds no more than two seconds of the
 * live rate. With `--outage 0` only freshness is measured: every 250 ms a call of a carrier of its own is sent and refused with
 * 503; from then until `/v1/kpis` counts it is its freshness.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { DEMO_CONFIG, DEMO_SITES } from '../bin/demo/network.js'
import { encodeHep3 } from '../sip/hep3.js'
import { CollectorProcess } from '../test/support/collector-process.js'
import { median } from './measure.js'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '20000' },
    outage: { type: 'string', default: '600' },
    'warm-up': { type: 'string', default: '30' },
    /** At most so long after the outage, seconds. */
    patience: { type: 'string', default: '1800' },
  },
})
const rate = Number(values.rate)
const outageS = Number(values.outage)
const warmUpS = Number(values['warm-up'])
const patienceS = Number(values.patience)

const PROBE_ADDRESS = '203.0.113.250'
const PROBE_INTERVAL_MS = 250
const LOOK_INTERVAL_MS = 500

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const folder = mkdtempSync(join(tmpdir(), 'trunkscope-catch-up-'))
try {
  await run()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const config = join(folder, 'network.json')
  const dataDir = join(folder, 'data')
  const { carriers } = DEMO_CONFIG as { carriers: object[] }
  writeFileSync(
    config,
    JSON.stringify({
      ...DEMO_CONFIG,
      carriers: [...carriers, { id: 'probe', peers: [`${PROBE_ADDRESS}/32`] }],
      spool: { size_max_bytes: 64 * 1_073_741_824 },
    }),
  )
  const collector = await CollectorProcess.start({ dataDir, config })
  const pid = collector.child.pid as number
  const generator = await startGenerator(collector.hepUdpPort)
  const probes = startProbes(collector)
  generator.child.stdin?.write('\n')
  await wait(warmUpS * 1_000)
  const inserts = join(dataDir, 'inserts')
  const lagLimitBytes = 2 * rate * 760
  const lines: [string, string | number][] = [
    ['machine', `${cpus().length} cores, ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}`],
    ['live rate, frames/s', rate],
  ]
  if (outageS > 0) {
    renameSync(inserts, `${inserts}.away`)
    await wait(outageS * 1_000)
    const lagBytes = await collector.metric('trunkscope_spool_lag_bytes')
    const cpuBefore = cpuSeconds(pid)
    const framesBefore = await collector.metric('trunkscope_store_messages_total')
    renameSync(`${inserts}.away`, inserts)
    const backMs = performance.now()
    let left = lagBytes
    while (left > lagLimitBytes && performance.now() - backMs < patienceS * 1_000) {
      await wait(LOOK_INTERVAL_MS)
      left = await collector.metric('trunkscope_spool_lag_bytes')
    }
    const tookS = (performance.now() - backMs) / 1_000
    const stored = (await collector.metric('trunkscope_store_messages_total')) - framesBefore
    lines.push(
      ['outage, s', outageS],
      ['spool lag at its end, MB', Math.round(lagBytes / 1e6)],
      [
        left > lagLimitBytes
          ? `NOT caught up after, s (left ${Math.round(left / 1e6)} MB)`
          : 'caught up after, s',
        tookS.toFixed(0),
      ],
      ['stored while catching up, frames/s', Math.round(stored / tookS)],
      ['CPU while catching up, µs a frame', (((cpuSeconds(pid) - cpuBefore) * 1e6) / stored).toFixed(1)],
      ['RSS at its end, MB', Math.round(rssKb(pid) / 1_000)],
    )
  } else {
    const flushes: number[] = []
    const recomputes: number[] = []
    const cpuBefore = cpuSeconds(pid)
    const framesBefore = await collector.metric('trunkscope_store_messages_total')
    for (let second = 0; second < 60; second++) {
      await wait(1_000)
      flushes.push(await collector.metric('trunkscope_store_flush_seconds'))
      recomputes.push(await collector.metric('trunkscope_store_recompute_seconds'))
    }
    const stored = (await collector.metric('trunkscope_store_messages_total')) - framesBefore
    lines.push(
      ['CPU, µs a frame', (((cpuSeconds(pid) - cpuBefore) * 1e6) / stored).toFixed(1)],
      [
        'a flush, a recomputation, s: median',
        `${median(flushes).toFixed(2)}, ${median(recomputes).toFixed(2)}`,
      ],
    )
    const freshMs = probes.seenAfterMs.slice(20).sort((a, b) => a - b)
    const at = (p: number) => ((freshMs[Math.ceil(p * freshMs.length) - 1] ?? Number.NaN) / 1_000).toFixed(2)
    lines.push(
      ['probes', freshMs.length],
      ['received to visible in /v1/kpis, s: p50, p95, p99, max', [0.5, 0.95, 0.99, 1].map(at).join(', ')],
      ['probes not seen at the end', probes.waiting()],
    )
  }
  probes.stop()
  generator.child.kill()
  const accepted = await collector.metric('trunkscope_capture_frames_total')
  const drops = await collector.metric('trunkscope_capture_kernel_drops_total')
  lines.push(['frames accepted', accepted], ['kernel drops', drops])
  for (const [name, value] of lines) process.stdout.write(`${name.padEnd(60)} ${value}\n`)
  await collector.kill()
}

async function startGenerator(port: number): Promise<{ child: ChildProcess }> {
  const script = fileURLToPath(new URL('./generator.js', import.meta.url))
  const seconds = warmUpS + outageS + patienceS + 120
  const args = [
    script,
    '--to',
    `udp://127.0.0.1:${port}`,
    '--rate',
    values.rate,
    '--seconds',
    String(seconds),
    '--wait',
  ]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout! }), 'line')
  return { child }
}

/** A call of its own carrier, refused at once; when `/v1/kpis` counts the n-th, the n-th probe has been seen. */
function startProbes(collector: CollectorProcess) {
  const socket = createSocket('udp4')
  const sentAtMs: number[] = []
  const seenAfterMs: number[] = []
  const fromS = Math.floor(Date.now() / 60_000) * 60
  const send = () => {
    const index = sentAtMs.length
    const atUs = Date.now() * 1_000
    for (const frame of probeCall(index, atUs)) socket.send(frame, collector.hepUdpPort, '127.0.0.1')
    sentAtMs.push(performance.now())
  }
  const look = async () => {
    const toS = Math.floor(Date.now() / 60_000) * 60 + 60
    const answer = await collector.json<{ groups: { attempts: number }[] }>(
      `/v1/kpis?carrier=probe&kpi=asr&from=${fromS}&to=${toS}&group_by=carrier`,
    )
    const nowMs = performance.now()
    const count = answer.groups[0]?.attempts ?? 0
    while (seenAfterMs.length < count) seenAfterMs.push(nowMs - (sentAtMs[seenAfterMs.length] as number))
  }
  const sending = setInterval(send, PROBE_INTERVAL_MS)
  let isLooking = false
  const looking = setInterval(() => {
    if (isLooking || outageS > 0) return
    isLooking = true
    look()
      .catch((error) => process.stderr.write(`${error}\n`))
      .finally(() => {
        isLooking = false
      })
  }, 100)
  return {
    seenAfterMs,
    waiting: () => sentAtMs.length - seenAfterMs.length,
    stop: () => {
      clearInterval(sending)
      clearInterval(looking)
      socket.close()
    },
  }
}

/** INVITE, 100, 503, ACK: a frame each. */
function probeCall(index: number, atUs: number): Buffer[] {
  const [sbc] = DEMO_SITES as [(typeof DEMO_SITES)[number]]
  const head = (first: string, cseq: string, toTag: string) =>
    `${first}\r\nVia: SIP/2.0/UDP ${sbc.sbcAddress};branch=z9hG4bK-probe-${index}\r\nFrom: <sip:probe@${sbc.sbcAddress}>;tag=p${index}\r\n` +
    `To: <sip:probe@${PROBE_ADDRESS}>${toTag}\r\nCall-ID: probe-${process.pid}-${index}\r\nCSeq: 1 ${cseq}\r\nContent-Length: 0\r\n\r\n`
  const uri = `sip:probe@${PROBE_ADDRESS}`
  const messages: [isOurs: boolean, text: string][] = [
    [true, head(`INVITE ${uri} SIP/2.0`, 'INVITE', '')],
    [false, head('SIP/2.0 100 Trying', 'INVITE', '')],
    [false, head('SIP/2.0 503 Service Unavailable', 'INVITE', ';tag=t')],
    [true, head(`ACK ${uri} SIP/2.0`, 'ACK', ';tag=t')],
  ]
  return messages.map(([isOurs, payload], at) =>
    encodeHep3({
      ipProtocol: 17,
      sourceAddress: isOurs ? sbc.sbcAddress : PROBE_ADDRESS,
      destinationAddress: isOurs ? PROBE_ADDRESS : sbc.sbcAddress,
      sourcePort: 5060,
      destinationPort: 5060,
      capturedAtUs: atUs + at * 1_000,
      protocolType: 1,
      agentId: sbc.agentId,
      payload,
    }),
  )
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function rssKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
}
