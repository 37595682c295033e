/**
 * The settings of docs/agents for the agents that can be installed here (Kamailio, sngrep), word for word as they stand
 * in the documents: a reader who copies them gets his calls, with the codes they had. Only the port changes.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { CollectorProcess } from '../support/collector-process.js'
import { needs, programPath } from '../support/outside-programs.js'
import { kpiPath } from '../support/real-capture.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LAB = join(ROOT, 'test/lab')
const SBC = '127.0.0.30'
const CARRIER = '127.0.3.1'

let folder: string
let collector: CollectorProcess | undefined
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-agents-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) await ended(child)
  await collector?.kill()
  collector = undefined
  rmSync(folder, { recursive: true, force: true })
})

/** The code blocks of a language in a document of docs/agents. */
function blocks(document: string, language: string): string[] {
  const text = readFileSync(join(ROOT, 'docs/agents', document), 'utf8')
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (m) => m[1]!,
  )
  if (found.length === 0) throw new Error(`docs/agents/${document} has no block of ${language}`)
  return found
}

/** The YAML of a document, with the carriers of the test below it. */
async function startWith(document: string, network: string): Promise<CollectorProcess> {
  const config = join(folder, 'trunkscope.yaml')
  writeFileSync(config, `${blocks(document, 'yaml')[0]}${network}`)
  collector = await CollectorProcess.start({ dataDir: join(folder, 'data'), config })
  return collector
}

/** Capture ids of the agents, and the site that the YAML of the document gives them. */
async function agents(): Promise<{ agent_id: number; site: string }[]> {
  return (await collector!.json<{ agents: { agent_id: number; site: string }[] }>('/v1/agents')).agents
}

describe('docs/agents/kamailio.md', () => {
  const test = needs('kamailio', 'sipp', 'openssl')

  test('a Kamailio with these lines is the agent 2001 of its site, and calls have the codes they had', async () => {
    const running = await startWith(
      'kamailio.md',
      `carriers:\n  - id: alpha\n    peers: [${CARRIER}/32]\ncustomers:\n  - id: caller\n    peers: [127.0.0.40/32]\n`,
    )
    const firstS = Date.now() / 1_000 - 5
    const [snippet] = blocks('kamailio.md', 'kamailio')
    const proxyPort = await freePort(SBC)
    const answererPort = await freePort(CARRIER)
    writeFileSync(
      join(folder, 'kamailio.cfg'),
      proxy(proxyPort, answererPort, snippet!.replace(':9060', `:${running.hepUdpPort}`)),
    )
    const kamailio = start('kamailio', ['-DD', '-E', '-m', '64', '-f', join(folder, 'kamailio.cfg')])
    await answers(SBC, proxyPort, kamailio)
    await play('answer', 'call', 4, proxyPort, answererPort)
    await play('busy', 'busy', 3, proxyPort, answererPort)
    await ended(kamailio)
    await running.settled()

    const answer = await running.json<KpiAnswer>(kpiPath(firstS, Date.now() / 1_000))
    expect(answer.groups.map(({ by }) => by.carrier)).toEqual(['alpha'])
    expect(answer.groups[0]).toMatchObject({
      attempts: 7,
      open: 0,
      incomplete: 0,
      responses: { '200': 4, '486': 3 },
    })
    expect(await agents()).toMatchObject([{ agent_id: 2001, site: 'dal' }])
    expect(await running.metric('trunkscope_dropped_total')).toBe(0)
  }, 90_000)
})

describe('docs/agents/sngrep.md', () => {
  const test = needs('sngrep')
  const run = promisify(execFile)

  /** Four calls over one TCP connection; the answerer's port is the carrier. */
  const NETWORK = 'carriers:\n  - id: alpha\n    peers: [{cidr: 127.0.0.1/32, port: 15961}]\n'

  /** The command of the document that holds `word`, in the folder of the test, to the port of the collector. */
  async function runsAsWritten(word: string, more: string[] = []): Promise<void> {
    const line = blocks('sngrep.md', 'sh').find((block) => block.includes(word))
    const words = line!.trim().replace(':9060', `:${collector!.hepUdpPort}`).split(' ')
    expect(words.shift()).toBe('sngrep')
    await run(programPath('sngrep')!, [...words, ...more], { cwd: folder })
  }

  async function expectTheCalls(firstS: number): Promise<void> {
    await collector!.accepted(24)
    await collector!.settled()
    const answer = await collector!.json<KpiAnswer>(kpiPath(firstS, Date.now() / 1_000))
    expect(answer.groups.map(({ by }) => by.carrier)).toEqual(['alpha'])
    expect(answer.groups[0]).toMatchObject({ attempts: 4, open: 0, incomplete: 0, responses: { '200': 4 } })
  }

  test('the command for a file sends its calls, at the times they had', async () => {
    // Without a key, as the command has none.
    const config = join(folder, 'no-key.yaml')
    writeFileSync(config, NETWORK)
    collector = await CollectorProcess.start({ dataDir: join(folder, 'data'), config })
    const lastS = Math.floor(Date.now() / 1_000) - 600
    writeFileSync(join(folder, 'capture.pcap'), movedTo(lastS))
    await runsAsWritten('-I capture.pcap')
    await expectTheCalls(lastS - 60)
    const answer = await collector.json<KpiAnswer>(kpiPath(lastS - 1, lastS))
    expect(answer.groups[0]?.attempts).toBe(4)
  }, 60_000)

  test('the settings with a key make it the agent of its site, under the id that it really sends', async () => {
    await startWith('sngrep.md', NETWORK)
    const [settings] = blocks('sngrep.md', 'sngreprc')
    writeFileSync(
      join(folder, 'sngreprc'),
      settings!.replace('eep.send.port 9060', `eep.send.port ${collector!.hepUdpPort}`),
    )
    const lastS = Math.floor(Date.now() / 1_000) - 600
    writeFileSync(join(folder, 'capture.pcap'), movedTo(lastS))
    // From a file here, where the document names a device: the sending is the same.
    await run(programPath('sngrep')!, ['-N', '-q', '-f', 'sngreprc', '-I', 'capture.pcap'], { cwd: folder })
    await expectTheCalls(lastS - 60)
    expect(await agents()).toMatchObject([{ agent_id: 2002 * 65_536, site: 'dal' }])
  }, 60_000)
})

/** A capture keeps its times and grows old; what is older than 400 days would be stored under its arrival. */
function movedTo(lastS: number): Buffer {
  const file = readFileSync(join(ROOT, 'test/fixtures/pcap/sipp-tcp-ethernet.pcap'))
  const records: number[] = []
  for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) records.push(at)
  const shift = lastS - Math.max(...records.map((at) => file.readUInt32LE(at)))
  for (const at of records) file.writeUInt32LE(file.readUInt32LE(at) + shift, at)
  return file
}

/** The least that relays calls to one carrier, around the lines of the document. */
function proxy(port: number, answererPort: number, snippet: string): string {
  const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'tmx']
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=2
listen=udp:${SBC}:${port}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
${snippet}
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  t_check_trans();
  record_route();
  $du = "sip:${CARRIER}:${answererPort}";
  t_relay();
}
`
}

/** Calls of SIPp through the proxy; the scenarios are the lab's. */
async function play(
  answerer: string,
  caller: string,
  calls: number,
  proxyPort: number,
  answererPort: number,
): Promise<void> {
  const numbers = join(folder, `${caller}.csv`)
  execFileSync(process.execPath, [join(LAB, 'mkcsv.mjs'), '101', '001', 'AB', String(calls), numbers], {
    cwd: folder,
    stdio: 'ignore',
  })
  const answering = start('sipp', [
    ...['-sf', join(LAB, `uas_${answerer}.xml`), '-i', CARRIER, '-p', String(answererPort)],
    ...['-mp', '23000', '-nostdin'],
  ])
  await answers(CARRIER, answererPort, answering)
  const calling = start('sipp', [
    ...['-sf', join(LAB, `uac_${caller}.xml`), '-inf', numbers, '-i', '127.0.0.40', '-p', '0'],
    ...['-mp', '23100', `${SBC}:${proxyPort}`, '-m', String(calls), '-r', '8', '-nostdin'],
  ])
  const [code] = await once(calling, 'exit')
  expect(code).toBe(0)
  await ended(answering)
}

function start(program: string, args: string[]): ChildProcess {
  const child = spawn(programPath(program) ?? program, args, { cwd: folder, stdio: 'ignore' })
  children.push(child)
  return child
}

/** Ends a process that was started here. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await exited
  clearTimeout(timer)
}

async function freePort(address: string): Promise<number> {
  const socket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

/** Until somebody has the port: then it cannot be bound any more. */
async function answers(address: string, port: number, process: ChildProcess): Promise<void> {
  for (;;) {
    if (process.exitCode !== null) throw new Error(`it ended with ${process.exitCode}`)
    const socket = createSocket('udp4')
    const isTaken = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(true))
      socket.bind({ port, address, exclusive: true }, () => resolve(false))
    })
    if (isTaken) return
    socket.close()
    await once(socket, 'close')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
