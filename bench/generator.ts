/**
 * A load generator for benchmarks: frames made beforehand, sent over UDP at a given rate, every one distinct.
 *
 *   node dist/bench/generator.js --to udp://127.0.0.1:9060 --rate 30000 --seconds 60 [--frames 200000] [--seed 1]
 *
 * The frames are those of thousands of interleaved demo calls on carriers' legs, each call squeezed into a few
 * seconds at the rate asked for, so that a receiver has as many calls open as it would have. Before a frame is sent
 * its capture time becomes now. When all are sent they go round again under new Call-IDs: the round stands in the
 * first digits of each Call-ID. So "sent = stored" can be checked by counting.
 *
 * Prints `ready` when the frames are made (with `--wait` it then waits for a line on stdin), and the result at the
 * end, each as one JSON line.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CallPlanner } from '../bin/demo/call-planner.js'
import { callMessages } from '../bin/demo/calls.js'
import { hepFrame, secondsOffset } from '../bin/demo/frames.js'
import type { Route } from '../bin/demo/network.js'
import { SeededRandom } from '../bin/demo/seeded-random.js'
import { type Destination, parseDestination } from '../bin/demo/send.js'

/** Digits of the round in front of each Call-ID. */
const ROUND_DIGITS = 6
const FRAMES_PER_CALL = 7
/** Calls are squeezed: no message later than this after the one before it. */
const GAP_MAX_US = 700_000
/** Frames sent between two looks at the clock. */
const BATCH_FRAMES = 32
/** What was missed while the process did not run is made up for by at most this much at once. */
const CATCH_UP_FRAMES = 256

export interface Load {
  frames: Buffer[]
  /** Where the capture seconds stand in each frame, and the round in its Call-ID. */
  secondsAt: Uint32Array
  roundAt: Uint32Array
  /** 1 for the first INVITE of a call. */
  beginsCall: Uint8Array
  calls: number
  bytes: number
}

/** At least `count` frames, in the order in which they are to be sent at `rate` frames a second. */
export function makeLoad(options: {
  count: number
  rate: number
  seed: number | string
  /** Call-IDs carry the time they were made for, so that another run has others. */
  atUs: number
}): Load {
  const planner = new CallPlanner({ seed: options.seed, customerLegs: false })
  const random = new SeededRandom(`${options.seed} load`)
  const messages: { atUs: number; frame: Buffer; route: Route; isFirst: boolean }[] = []
  let calls = 0
  let beginsAtUs = options.atUs
  while (messages.length < options.count) {
    const call = planner.plan(beginsAtUs)
    call.carrierLeg.callId = '0'.repeat(ROUND_DIGITS) + call.carrierLeg.callId
    let squeezedAtUs = beginsAtUs
    let earlierAtUs = beginsAtUs
    for (const [index, message] of callMessages(call).entries()) {
      squeezedAtUs += Math.min(message.atUs - earlierAtUs, random.between(0.2, 1) * GAP_MAX_US)
      earlierAtUs = message.atUs
      messages.push({
        atUs: squeezedAtUs,
        frame: hepFrame(message),
        route: message.route,
        isFirst: index === 0,
      })
    }
    calls++
    beginsAtUs += Math.round((FRAMES_PER_CALL * 1_000_000) / options.rate)
  }
  messages.sort((one, other) => one.atUs - other.atUs)
  const load: Load = {
    frames: [],
    secondsAt: new Uint32Array(messages.length),
    roundAt: new Uint32Array(messages.length),
    beginsCall: new Uint8Array(messages.length),
    calls,
    bytes: 0,
  }
  for (const [index, { frame, route, isFirst }] of messages.entries()) {
    load.frames.push(frame)
    load.bytes += frame.length
    load.secondsAt[index] = secondsOffset(route)
    load.roundAt[index] = frame.indexOf('\r\nCall-ID: ') + 11
    load.beginsCall[index] = isFirst ? 1 : 0
  }
  return load
}

/** Makes the `index`-th frame one that never was: the capture time, and the round in its Call-ID. */
export function renew(load: Load, index: number, round: number, atUs: number): Buffer {
  const frame = load.frames[index]!
  const secondsAt = load.secondsAt[index]!
  const seconds = Math.floor(atUs / 1_000_000)
  frame.writeUInt32BE(seconds, secondsAt)
  frame.writeUInt32BE(atUs - seconds * 1_000_000, secondsAt + 10)
  const roundAt = load.roundAt[index]!
  for (let digit = ROUND_DIGITS - 1, rest = round; digit >= 0; digit--, rest = Math.floor(rest / 10)) {
    frame[roundAt + digit] = 0x30 + (rest % 10)
  }
  return frame
}

export interface LoadResult {
  framesSent: number
  /** Datagrams the socket refused; not in `framesSent`. */
  errors: number
  /** First INVITEs among them: so many attempts a collector must find. */
  callsBegun: number
  bytesSent: number
  rounds: number
  seconds: number
  framesPerSecond: number
  /** User and system time of this process while it sent. */
  cpuSeconds: number
  cpuMicrosecondsPerFrame: number
  firstAtUs: number
  lastAtUs: number
}

export async function sendLoad(
  load: Load,
  to: Destination,
  options: { rate: number; seconds: number },
): Promise<LoadResult> {
  const socket = createSocket(isIPv6(to.host) ? 'udp6' : 'udp4')
  let errors = 0
  socket.on('error', () => errors++)
  await new Promise<void>((resolve) => socket.connect(to.port, to.host, resolve))
  const onError = (error: Error | null) => {
    if (error !== null) errors++
  }
  const total = Math.round(options.rate * options.seconds)
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  const clockUs = Date.now() * 1_000 - startedMs * 1_000
  let firstAtUs = 0
  let atUs = 0
  let sent = 0
  let index = 0
  let round = 0
  let callsBegun = 0
  let bytesSent = 0
  while (sent < total) {
    const nowMs = performance.now()
    const due = Math.min(total, Math.floor(((nowMs - startedMs) * options.rate) / 1_000)) - sent
    if (due < BATCH_FRAMES && sent + due < total) {
      await setTimeout(1)
      continue
    }
    atUs = Math.max(atUs, Math.floor(clockUs + nowMs * 1_000))
    if (sent === 0) firstAtUs = atUs
    for (let count = Math.min(due, CATCH_UP_FRAMES); count > 0; count--) {
      // A microsecond apart, so that no two frames share their time.
      const frame = renew(load, index, round, atUs++)
      socket.send(frame, onError)
      sent++
      bytesSent += frame.length
      callsBegun += load.beginsCall[index]!
      if (++index === load.frames.length) {
        index = 0
        round++
      }
    }
    if (due > CATCH_UP_FRAMES) await setImmediate()
  }
  const seconds = (performance.now() - startedMs) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  socket.close()
  await once(socket, 'close')
  const cpuSeconds = (user + system) / 1_000_000
  return {
    framesSent: sent - errors,
    errors,
    callsBegun,
    bytesSent,
    rounds: round + 1,
    seconds,
    framesPerSecond: Math.round((sent - errors) / seconds),
    cpuSeconds,
    cpuMicrosecondsPerFrame: (cpuSeconds * 1_000_000) / sent,
    firstAtUs,
    lastAtUs: atUs - 1,
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      to: { type: 'string', default: 'udp://127.0.0.1:9060' },
      rate: { type: 'string', default: '30000' },
      seconds: { type: 'string', default: '60' },
      frames: { type: 'string', default: '200000' },
      seed: { type: 'string', default: '1' },
      wait: { type: 'boolean', default: false },
    },
  })
  const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
  const [rate, seconds, count] = [values.rate, values.seconds, values.frames].map(Number) as [
    number,
    number,
    number,
  ]
  const to = parseDestination(values.to)
  if (to.transport !== 'udp')
    throw new RangeError('The generator sends over UDP: write --to udp://HOST:PORT.')
  const startedMs = performance.now()
  const load = makeLoad({ count, rate, seed: values.seed, atUs: Date.now() * 1_000 })
  say({
    event: 'ready',
    frames: load.frames.length,
    calls: load.calls,
    bytes: load.bytes,
    seconds: (performance.now() - startedMs) / 1_000,
  })
  if (values.wait) await once(process.stdin, 'data')
  const result = await sendLoad(load, to, { rate, seconds })
  say({ event: 'result', ...result, rssBytes: process.memoryUsage.rss() })
  process.stdin.destroy()
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await main()
