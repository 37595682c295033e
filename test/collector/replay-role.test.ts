import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noProgress, readFrames } from '../../collector/replay-role.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { decodeHep3, encodeHep3 } from '../../sip/hep3.js'
import { Blocks, datagram, pcap, ROUTE, sip } from '../support/packets.js'

const AT_US = 1_795_176_000_123_456

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trunkscope-replay-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function read(files: Record<string, Buffer>, ...agent: { agentId: number; agentName: string }[]) {
  const paths = Object.entries(files).map(([name, bytes]) => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  })
  const progress = noProgress()
  const frames: ReceivedFrame[] = []
  for await (const batch of readFrames(paths, progress, ...agent)) frames.push(...batch)
  return { frames, progress, decoded: frames.map(({ bytes }) => decodeHep3(bytes)) }
}

const hepFile = encodeHep3({ agentId: 7, capturedAtUs: AT_US - 1e6, payload: sip('hep') })
const pcapFile = pcap([
  { atUs: AT_US, bytes: datagram(sip('one')) },
  { atUs: AT_US + 1, bytes: datagram(Buffer.from('\r\n')) },
])

describe('replay', () => {
  test('tells HEP, pcap and pcapng by their first bytes, whatever the files are called', async () => {
    const blocks = new Blocks(true)
    const pcapng = Buffer.concat([
      blocks.section(),
      blocks.interface(101),
      blocks.packet(0, BigInt(AT_US + 5), datagram(sip('two'))),
      blocks.simplePacket(datagram(sip('timeless'))),
    ])
    const { decoded, progress, frames } = await read({ 'a.pcap': hepFile, 'b.hep': pcapFile, c: pcapng })
    expect(decoded.map((frame) => ('reason' in frame ? frame.reason : frame))).toMatchObject([
      { agentId: 7, payload: sip('hep') },
      {
        agentId: 0,
        agentName: 'pcap',
        ipProtocol: 17,
        sourceAddress: ROUTE.source,
        sourcePort: ROUTE.sourcePort,
        destinationAddress: ROUTE.destination,
        destinationPort: ROUTE.destinationPort,
        capturedAtUs: AT_US,
        protocolType: 1,
        payload: sip('one'),
      },
      { capturedAtUs: AT_US + 5, payload: sip('two') },
      { capturedAtUs: 0, payload: sip('timeless') },
    ])
    expect(frames.map(({ receivedAtUs }) => receivedAtUs - AT_US)).toEqual([-1e6, 0, 5, 5])
    expect(progress).toMatchObject({ frames: 4, packets: 4, firstUs: AT_US - 1e6, lastUs: AT_US + 5 })
    expect(progress.bytes).toBe(progress.bytesOfAll)
    expect(Object.fromEntries(progress.unread)).toEqual({ keepalive: 1 })
  })

  test('messages of pcap are those of the agent that was named', async () => {
    const { decoded } = await read({ a: pcapFile }, { agentId: 2001, agentName: 'border' })
    expect(decoded[0]).toMatchObject({ agentId: 2001, agentName: 'border' })
    expect((await read({ a: pcapFile }, { agentId: 0, agentName: '' })).decoded[0]).toMatchObject({
      agentId: 0,
      agentName: '',
    })
  })

  test('of files that are cut or damaged what is whole is read, and the next file too', async () => {
    const damaged = Buffer.concat([pcapFile, Buffer.alloc(16, 255)])
    const { frames, progress } = await read({ a: pcapFile.subarray(0, -1), b: damaged, c: pcapFile })
    expect(frames).toHaveLength(3)
    expect(Object.fromEntries(progress.unread)).toEqual({ file_cut: 1, record_too_large: 1, keepalive: 2 })
  })

  test('an empty file, and one of something else, give no frame', async () => {
    const { frames, progress } = await read({ a: Buffer.alloc(0), b: Buffer.from('nothing of the kind') })
    expect(frames).toEqual([])
    expect(progress.skippedBytes).toBe(19)
  })
})
