/**
 * decodeHep3 against hep-js `decapsulate`, on the same frames, in turns: ours here, hep-js in its own child process (it is
 * GPL-2.0 and is never loaded into this one). One line a figure; the median of RUNS runs of each.
 *
 * Run      npx tsc && node dist/bench/decode-hep3.js
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { authKeyOf, checkHep3, decodeHep3, encodeHep3 } from '../sip/hep3.js'
import { Hep3StreamReader } from '../sip/hep3-stream.js'
import { cpuNsPerCall, median } from './measure.js'
import { sampleInvite } from './sample-messages.js'

const RUNS = 7
const FRAMES = 1_000
const OUR_ROUNDS = 400
const PEER_ROUNDS = 5

const root = new URL('../../', import.meta.url)

const frames = Array.from({ length: FRAMES }, (_, index) =>
  encodeHep3({
    sourceAddress: `198.51.100.${index % 250}`,
    sourcePort: 5060,
    destinationAddress: '203.0.113.20',
    destinationPort: 5060,
    capturedAtUs: 1_795_217_976_000_000 + index,
    agentId: 2001,
    payload: sampleInvite(index),
  }),
)
const capture = readFileSync(new URL('test/fixtures/hep/kamailio-siptrace.hep', root))
const recorded: Buffer[] = []
new Hep3StreamReader().push(capture, (bytes, start, end) =>
  recorded.push(Buffer.from(bytes.subarray(start, end))),
)

const peer = spawn(process.execPath, [new URL('test/peers/hep-js-peer.cjs', root).pathname])
await compare(`generated INVITEs of ${frames[0]!.length} bytes`, frames, peer)
await compare(
  `the Kamailio capture, ${Math.round(capture.length / recorded.length)} bytes on average`,
  recorded,
  peer,
)
peer.stdin.end()

const check = Array.from({ length: RUNS }, () =>
  cpuNsPerCall(FRAMES, OUR_ROUNDS, (index) => {
    const frame = frames[index]!
    return checkHep3(frame, 0, frame.length) === '' && !authKeyOf(frame, 0, frame.length) ? 1 : 0
  }),
)
console.log(`checkHep3 + authKeyOf: ${median(check).toFixed(0)} ns a frame`)

async function compare(what: string, input: Buffer[], child: ChildProcessWithoutNullStreams): Promise<void> {
  const ours: number[] = []
  const theirs: number[] = []
  const ratios: number[] = []
  await theirNsPerFrame(input, child) // Both warm up once.
  ourNsPerFrame(input)
  for (let run = 0; run < RUNS; run++) {
    theirs.push(await theirNsPerFrame(input, child))
    ours.push(ourNsPerFrame(input))
    ratios.push(theirs[run]! / ours[run]!)
  }
  console.log(
    `${what}: hep-js ${median(theirs).toFixed(0)} ns a frame, decodeHep3 ${median(ours).toFixed(0)} ns a frame`,
  )
  console.log(
    `${what}: ratio ${median(ratios).toFixed(0)} (${Math.min(...ratios).toFixed(0)}..${Math.max(...ratios).toFixed(0)})`,
  )
}

function ourNsPerFrame(input: Buffer[]): number {
  return cpuNsPerCall(input.length, OUR_ROUNDS, (index) => {
    const decoded = decodeHep3(input[index]!)
    return 'reason' in decoded ? 0 : decoded.payload.length
  })
}

async function theirNsPerFrame(input: Buffer[], child: ChildProcessWithoutNullStreams): Promise<number> {
  const lines = createInterface({ input: child.stdout })
  const answer = new Promise<string>((resolve) => lines.once('line', resolve))
  child.stdin.write(
    `${JSON.stringify({ frames: input.map((frame) => frame.toString('base64')), rounds: PEER_ROUNDS })}\n`,
  )
  const { nsPerFrame } = JSON.parse(await answer)
  lines.close()
  return nsPerFrame
}
