/**
 * The cluster end to end: frames over UDP into the capture role, through a real broker, folded by the store roles, written over
 * HTTP; generator, broker, engine and all roles beside each other on the same cores.
 *
 *   node dist/bench/cluster.js [--rate 10000] [--seconds 30] [--stores 1]          from the project's folder
 *
 * CPU is told a process at a time: that shows where the time goes. The engine is the test's front (chdb behind HTTP), no server.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DEMO_CONFIG } from '../bin/demo/network.js'
import { Cluster } from '../test/support/cluster.js'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '30' },
    stores: { type: 'string', default: '1' },
  },
})

const cluster = await Cluster.start({
  network: DEMO_CONFIG as unknown as Record<string, unknown>,
  basePartitions: 24,
  stores: Number(values.stores),
})
try {
  await run()
} finally {
  await cluster.discard()
}

async function run(): Promise<void> {
  const udp = cluster.capture.address('HEP udp')
  const script = fileURLToPath(new URL('./generator.js', import.meta.url))
  const args = [script, '--to', `udp://${udp}`, '--rate', values.rate, '--seconds', values.seconds]
  const parts = new Map<string, number>([
    ['capture', cluster.capture.pid],
    ...cluster.stores.map((store, at): [string, number] => [`store ${at + 1}`, store.pid]),
    ['api', cluster.api.pid],
    ['broker', cluster.broker.pid],
    ['engine behind HTTP', cluster.front.pid],
  ])
  const before = new Map([...parts].map(([name, pid]) => [name, cpuSeconds(pid)]))
  const startedMs = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let sent = { framesSent: 0, callsBegun: 0, cpuSeconds: 0, framesPerSecond: 0 }
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { event: string } & typeof sent
    if (said.event === 'result') sent = said
  })
  await once(child, 'exit')
  const sentMs = performance.now()
  const accepted = await cluster.capture.metric('trunkscope_capture_frames_total')
  const publishedAtEnd = await cluster.capture.metric('trunkscope_publish_frames_total')
  const drops = await cluster.capture.metric('trunkscope_capture_kernel_drops_total')
  await cluster.settled(Math.min(accepted, sent.framesSent))
  const settledMs = performance.now()
  const [attempts] = await cluster.rows<{ n: string }>(
    "SELECT count() AS n FROM call_attempts FINAL WHERE state != 'fragment'",
  )
  const [messages] = await cluster.rows<{ n: string }>('SELECT count() AS n FROM sip_messages FINAL')
  const lines: [string, string | number][] = [
    ['machine', `${cpus().length} cores, ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}`],
    ['sent', sent.framesSent],
    ['rate sent, frames/s', Math.round(sent.framesPerSecond)],
    ['accepted at the end of sending; kernel drops', `${accepted}; ${drops}`],
    ['with the broker at the end of sending', publishedAtEnd],
    ['messages stored (distinct rows)', Number(messages?.n)],
    ['attempts stored / calls sent', `${attempts?.n} / ${sent.callsBegun}`],
    ['stored and folded after the last frame, s', ((settledMs - sentMs) / 1_000).toFixed(1)],
    [
      'frames/s, first frame to all stored',
      Math.round(Number(messages?.n) / ((settledMs - startedMs) / 1_000)),
    ],
    ['CPU of the generator, s', sent.cpuSeconds.toFixed(1)],
    ...[...parts].map(([name, pid]): [string, string] => {
      const cpu = cpuSeconds(pid) - (before.get(name) ?? 0)
      return [
        `CPU of ${name}, µs a frame; RSS, MB`,
        `${((cpu * 1e6) / sent.framesSent).toFixed(1)}; ${rssMb(pid)}`,
      ]
    }),
  ]
  for (const [name, value] of lines) process.stdout.write(`${name.padEnd(48)} ${value}\n`)
}

/** User and system time of all threads of a process, seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function rssMb(pid: number): number {
  return Math.round(
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000,
  )
}
