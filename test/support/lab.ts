/**
 * The lab of `test/lab` as processes: Kamailio, ten SIPp answerers, and callers on demand. Everything on the loopback range.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programPath } from './outside-programs.js'

const LAB = fileURLToPath(new URL('../lab/', import.meta.url))

/** Behaviour of a called number's answerer, and the port suffix it listens on. */
const ANSWERERS = { answer: '001', early: '002', ring: '003', busy: '004', fault: '005' } as const

export interface CallSet {
  carrier: '101' | '202'
  answerer: keyof typeof ANSWERERS
  caller: 'call' | 'cancel' | 'busy' | 'fault'
  calls: number
  /** Attestation letters, taken in turn. */
  attestation: string
}

export class Lab {
  readonly #folder: string
  readonly #children: ChildProcess[] = []
  #callerPort = 7_000

  constructor(folder: string) {
    this.#folder = folder
  }

  async start(hepPort: number): Promise<void> {
    // The first makes key and certificate; the others find them.
    this.#numbers({ carrier: '101', answerer: 'answer', caller: 'call', calls: 1, attestation: 'A' })
    this.#kamailio(hepPort)
    for (const carrier of [1, 2]) {
      for (const [name, suffix] of Object.entries(ANSWERERS)) {
        const media = 20_000 + carrier * 1_000 + Number(suffix) * 10
        this.#spawn('sipp', [
          '-sf',
          join(LAB, `uas_${name}.xml`),
          '-i',
          `127.0.${carrier}.1`,
          '-p',
          `6${suffix}`,
          '-mp',
          String(media),
          '-nostdin',
        ])
      }
    }
    await answersOptions('127.0.0.10', 5_060)
  }

  /** Kamailio alone, which asks these hosts with OPTIONS whether they live. */
  async startPinging(hepPort: number, hosts: readonly string[]): Promise<void> {
    const list = hosts.map((host) => `1 sip:${host}:5060\n`).join('')
    writeFileSync(join(this.#folder, 'dispatcher.list'), list)
    this.#kamailio(hepPort, '-A', 'PINGS')
    await answersOptions('127.0.0.10', 5_060)
  }

  /** A host that answers every OPTIONS so, until it is ended. */
  answering(host: string, status: string): { end: () => Promise<void> } {
    // SIPp takes no keyword for a status.
    const scenario = join(this.#folder, `uas_${host}.xml`)
    const text = readFileSync(join(LAB, 'uas_options.xml'), 'utf8').replace('200 OK', status)
    writeFileSync(scenario, text)
    const child = this.#spawn('sipp', ['-sf', scenario, '-i', host, '-p', '5060', '-mp', '24000', '-nostdin'])
    return { end: () => ended(child) }
  }

  #kamailio(hepPort: number, ...more: string[]): void {
    const config = readFileSync(join(LAB, 'kamailio.cfg'), 'utf8')
      .replace('127.0.0.1:9060', `127.0.0.1:${hepPort}`)
      .replace('"dispatcher.list"', JSON.stringify(join(this.#folder, 'dispatcher.list')))
    writeFileSync(join(this.#folder, 'kamailio.cfg'), config)
    this.#spawn('kamailio', ['-DD', '-E', '-m', '64', ...more, '-f', join(this.#folder, 'kamailio.cfg')])
  }

  /** Plays a set of calls to its end. */
  async play(set: CallSet): Promise<void> {
    const port = this.#callerPort
    this.#callerPort += 100
    const caller = this.#spawn('sipp', [
      '-sf',
      join(LAB, `uac_${set.caller}.xml`),
      '-inf',
      this.#numbers(set),
      '-i',
      '127.0.0.20',
      '-p',
      String(port),
      '-mp',
      String(port + 20_000),
      '127.0.0.10:5060',
      '-m',
      String(set.calls),
      '-r',
      '8',
      '-l',
      '50',
      '-nostdin',
    ])
    const [code] = await once(caller, 'exit')
    // Kamailio relays the 503 as 500, which that caller counts as a failed call: 1 is right for it.
    if (code !== (set.caller === 'fault' ? 1 : 0))
      throw new Error(`sipp ${set.carrier} ${set.caller} ended with ${code}`)
  }

  #numbers(set: CallSet): string {
    const file = join(this.#folder, `in_${set.carrier}_${set.answerer}.csv`)
    const { carrier, answerer, attestation, calls } = set
    execFileSync(
      process.execPath,
      [join(LAB, 'mkcsv.mjs'), carrier, ANSWERERS[answerer], attestation, String(calls), file],
      {
        cwd: this.#folder,
        stdio: 'ignore',
      },
    )
    return file
  }

  #spawn(program: string, args: string[]): ChildProcess {
    const child = spawn(programPath(program) ?? program, args, { cwd: this.#folder, stdio: 'ignore' })
    this.#children.push(child)
    return child
  }

  /** Ends the processes it started, and no other. */
  async stop(): Promise<void> {
    for (const child of this.#children) await ended(child)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await exited
  clearTimeout(timer)
}

/** Kamailio is up when it answers; an OPTIONS is no attempt and no KPI counts it. */
async function answersOptions(host: string, port: number): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const own = socket.address().port
  const options = (attempt: number) =>
    `OPTIONS sip:${host} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bKlab${attempt}\r\n` +
    `From: <sip:lab@127.0.0.1>;tag=lab\r\nTo: <sip:${host}>\r\nCall-ID: lab-${attempt}@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n` +
    'Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n'
  try {
    for (let attempt = 0; ; attempt++) {
      const answer = once(socket, 'message').then(() => true)
      socket.send(options(attempt), port, host)
      const isUp = await Promise.race([
        answer,
        new Promise<false>((resolve) => setTimeout(() => resolve(false), 200)),
      ])
      if (isUp) return
      if (attempt === 50) throw new Error('Kamailio did not answer within 10 s')
    }
  } finally {
    socket.close()
  }
}
