/**
 * Our HEP3 decoder against hep-js, field by field. hep-js is GPL-2.0 and runs only in a child process
 * (hep-js-peer.cjs); bytes go there and JSON comes back over stdio.
 *
 * Compared: protocol type, IP protocol, both IPv4 addresses and ports, seconds and microseconds, agent id, agent name,
 * correlation id, agent key, and the payload as UTF-8 text. Not compared, because hep-js cannot: IPv6 addresses,
 * compressed payloads, vendor chunks (it takes any vendor's chunk 15 for the payload), frames without a payload.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HepFrame } from '../../schemas/hep-frame.js'
import { authKeyOf, decodeHep3, encodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'

interface PeerFrame {
  rcinfo: Record<string, number | string | undefined>
  payload?: string
}

let peer: ChildProcessWithoutNullStreams
let lines: Interface

beforeAll(() => {
  peer = spawn(process.execPath, [new URL('./hep-js-peer.cjs', import.meta.url).pathname])
  lines = createInterface({ input: peer.stdout })
})

afterAll(() => {
  peer.stdin.end()
})

async function decodedByPeer(frames: Buffer[]): Promise<PeerFrame[]> {
  const answer = new Promise<string>((resolve) => lines.once('line', resolve))
  peer.stdin.write(`${JSON.stringify({ frames: frames.map((frame) => frame.toString('base64')) })}\n`)
  return JSON.parse(await answer).decoded
}

/** What both sides say about a frame, in one shape; absent is 0 or ''. */
function oursOf(bytes: Buffer): Record<string, unknown> {
  const frame = decodeHep3(bytes) as HepFrame
  return {
    protocolType: frame.protocolType,
    ipProtocol: frame.ipProtocol,
    sourceAddress: frame.sourceAddress,
    sourcePort: frame.sourcePort,
    destinationAddress: frame.destinationAddress,
    destinationPort: frame.destinationPort,
    seconds: Math.floor(frame.capturedAtUs / 1_000_000),
    microseconds: frame.capturedAtUs % 1_000_000,
    agentId: frame.agentId,
    agentName: frame.agentName,
    correlationId: frame.correlationId,
    key: authKeyOf(bytes, 0, bytes.length)?.toString() ?? '',
    payload: frame.payload.toString('utf8'),
  }
}

function theirsOf({ rcinfo, payload }: PeerFrame): Record<string, unknown> {
  return {
    protocolType: rcinfo.payloadType ?? 0,
    ipProtocol: rcinfo.protocol ?? 0,
    sourceAddress: rcinfo.srcIp ?? '',
    sourcePort: rcinfo.srcPort ?? 0,
    destinationAddress: rcinfo.dstIp ?? '',
    destinationPort: rcinfo.dstPort ?? 0,
    seconds: rcinfo.timeSeconds ?? 0,
    microseconds: rcinfo.timeUseconds ?? 0,
    agentId: rcinfo.captureId ?? 0,
    agentName: rcinfo.hepNodeName ?? '',
    correlationId: rcinfo.correlation_id ?? '',
    key: rcinfo.capturePass ?? '',
    payload: payload ?? '',
  }
}

describe('hep-js', () => {
  test('agrees on every frame of the Kamailio capture', async () => {
    const capture = readFileSync(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url))
    const frames: Buffer[] = []
    const reader = new Hep3StreamReader()
    reader.push(capture, (bytes, start, end) => frames.push(Buffer.from(bytes.subarray(start, end))))
    expect(frames).toHaveLength(844)
    const theirs = await decodedByPeer(frames)
    expect(frames.map(oursOf)).toEqual(theirs.map(theirsOf))
  })

  test('agrees on frames we encode', async () => {
    const address = fc.ipV4()
    const port = fc.nat(65_535)
    const name = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.endsWith('\0'))
    const frame = fc.record({
      protocolType: fc.constantFrom(1, 5, 34, 100),
      ipProtocol: fc.constantFrom(6, 17, 22, 132),
      sourceAddress: address,
      sourcePort: port,
      destinationAddress: address,
      destinationPort: port,
      capturedAtUs: fc.integer({ min: 1_000_000, max: 4_294_967_295 * 1_000_000 }),
      agentId: fc.integer({ min: 0, max: 0xffffffff }),
      agentName: name,
      authKey: name,
      correlationId: name,
      payload: fc.string({ minLength: 1, maxLength: 2_000, unit: 'binary' }),
    })
    const frames = fc.sample(frame, { numRuns: 500, seed: 4711 }).map((fields) => encodeHep3(fields))
    const theirs = await decodedByPeer(frames)
    expect(frames.map(oursOf)).toEqual(theirs.map(theirsOf))
  })
})
