import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BATCH_HEADER_BYTES,
  BATCH_MAX_BYTES,
  decodeSpan,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  sealBatch,
  segmentName,
  segmentStart,
  writeRecord,
} from '../../../collector/capture/spool-format.js'
import { type ReceivedFrame, TRANSPORTS } from '../../../schemas/hep-frame.js'

const anyFrame: fc.Arbitrary<ReceivedFrame> = fc.record({
  receivedAtUs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  transport: fc.constantFrom(...TRANSPORTS),
  peerAddress: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('file')),
  bytes: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  position: fc.constant(0),
})

function encodeBatch(frames: ReceivedFrame[], position: number, receivedUntilUs = 7): Buffer {
  const batch = Buffer.alloc(65_536)
  let end = BATCH_HEADER_BYTES
  for (const { bytes, peerAddress, receivedAtUs, transport } of frames) {
    const index = TRANSPORTS.indexOf(transport)
    end = writeRecord(batch, end, receivedAtUs, index, peerAddress, bytes, 0, bytes.length)
  }
  sealBatch(batch, end, position, receivedUntilUs, frames.length)
  return batch.subarray(0, end)
}

interface Segment {
  bytes: Buffer
  /** Where each batch begins and ends in the file. */
  batches: { from: number; to: number; frames: ReceivedFrame[] }[]
}

function encodeSegment(start: number, groups: ReceivedFrame[][]): Segment {
  const parts = [encodeSegmentHeader(start)]
  const batches: Segment['batches'] = []
  let at = SEGMENT_HEADER_BYTES
  for (const group of groups) {
    const frames = group.map((frame) => ({ ...frame, position: start + at }))
    const batch = encodeBatch(frames, start + at)
    batches.push({ from: at, to: at + batch.length, frames })
    parts.push(batch)
    at += batch.length
  }
  return { bytes: Buffer.concat(parts), batches }
}

const anySegment = fc
  .tuple(
    fc.integer({ min: 0, max: 2 ** 50 }),
    fc.array(fc.array(anyFrame, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
  )
  .map(([start, groups]) => ({ start, ...encodeSegment(start, groups) }))

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

describe('spool format', () => {
  test('what was written is read back, byte for byte', () => {
    fc.assert(
      fc.property(anySegment, ({ start, bytes, batches }) => {
        const span = decodeSpan(bytes, start, start, true)
        expect(span.frames).toEqual(batches.flatMap((batch) => batch.frames))
        expect(span.consumedBytes).toBe(bytes.length)
        expect(span.damagedBytes).toEqual([])
      }),
    )
  })

  test('a file cut at any byte gives back every batch before the cut and reports the rest', () => {
    fc.assert(
      fc.property(
        anySegment,
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ start, bytes, batches }, where) => {
          const cut = Math.floor(where * bytes.length)
          const span = decodeSpan(bytes.subarray(0, cut), start, start, true)
          const whole = batches.filter((batch) => batch.to <= cut)
          expect(span.frames).toEqual(whole.flatMap((batch) => batch.frames))
          expect(span.consumedBytes).toBe(cut)
          const lastWhole = whole.at(-1)?.to ?? (cut < SEGMENT_HEADER_BYTES ? 0 : SEGMENT_HEADER_BYTES)
          expect(sum(span.damagedBytes)).toBe(cut - lastWhole)
        },
      ),
    )
  })

  test('a flipped bit costs the batch it is in and nothing else', () => {
    fc.assert(
      fc.property(
        anySegment,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 0, max: 7 }),
        ({ start, bytes, batches }, where, bit) => {
          const at = Math.floor(where * bytes.length)
          const damaged = Buffer.from(bytes)
          damaged[at]! ^= 1 << bit
          // Its last 4 bytes are reserved: nobody minds them.
          const inReserved = at >= SEGMENT_HEADER_BYTES - 4 && at < SEGMENT_HEADER_BYTES
          const hit = batches.find((batch) => at >= batch.from && at < batch.to)
          const span = decodeSpan(damaged, start, start, true)
          expect(span.frames).toEqual(batches.flatMap((batch) => (batch === hit ? [] : batch.frames)))
          expect(span.consumedBytes).toBe(bytes.length)
          const lost = hit === undefined ? SEGMENT_HEADER_BYTES : hit.to - hit.from
          expect(span.damagedBytes).toEqual(inReserved ? [] : [lost])
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a segment read in spans of any size gives the same frames and the same damage', () => {
    fc.assert(
      fc.property(
        anySegment,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 1, max: 900 }),
        ({ start, bytes }, where, spanBytes) => {
          const damaged = Buffer.from(bytes)
          damaged[Math.floor(where * bytes.length)]! ^= 0x55
          const whole = decodeSpan(damaged, start, start, true)
          const frames: ReceivedFrame[] = []
          let damagedBytes = 0
          let size = spanBytes
          for (let at = 0; at < damaged.length; ) {
            const end = Math.min(damaged.length, at + size)
            const span = decodeSpan(damaged.subarray(at, end), start + at, start, end === damaged.length)
            size = span.consumedBytes === 0 ? size * 2 : spanBytes // A reader's span always holds a batch; ours may not.
            frames.push(...span.frames)
            damagedBytes += sum(span.damagedBytes)
            at += span.consumedBytes
          }
          expect(frames).toEqual(whole.frames)
          expect(damagedBytes).toBe(sum(whole.damagedBytes))
        },
      ),
      { numRuns: 300 },
    )
  })

  test('any bytes give frames or damage, never an exception (fuzz)', () => {
    const magic = Buffer.from([0xf5, 0x54, 0x53, 0x01])
    const anyBytes = fc
      .array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constant(magic), fc.constant(encodeBatch([], 64))))
      .map((parts) => Buffer.concat(parts))
    fc.assert(
      fc.property(anyBytes, fc.boolean(), (bytes, final) => {
        const span = decodeSpan(bytes, 0, 0, final)
        expect(span.consumedBytes).toBeLessThanOrEqual(bytes.length)
        if (final) expect(span.consumedBytes).toBe(bytes.length)
      }),
    )
  })

  test('a copy of a batch inside a frame is not taken for a batch when its own batch is damaged', () => {
    const forged = encodeBatch(
      [{ receivedAtUs: 1, transport: 'tcp', peerAddress: 'forged', bytes: Buffer.alloc(3), position: 0 }],
      32,
    )
    const carrier: ReceivedFrame = {
      receivedAtUs: 1,
      transport: 'udp',
      peerAddress: '192.0.2.1',
      bytes: forged,
      position: 0,
    }
    const { bytes, batches } = encodeSegment(0, [[carrier]])
    bytes[batches[0]!.to - 1]! ^= 1
    const span = decodeSpan(bytes, 0, 0, true)
    expect(span.frames).toEqual([])
    expect(span.damagedBytes).toEqual([bytes.length - SEGMENT_HEADER_BYTES])
  })

  test('a length beyond the largest batch is damage, not a reason to wait for more', () => {
    const { bytes } = encodeSegment(0, [[]])
    bytes.writeUInt32LE(BATCH_MAX_BYTES, SEGMENT_HEADER_BYTES + 4)
    const span = decodeSpan(bytes, 0, 0, false)
    expect(span.consumedBytes).toBeGreaterThan(SEGMENT_HEADER_BYTES)
  })

  test('a segment of format 1, as it was first written, is read', () => {
    const golden = Buffer.from(
      '5452554e4b53504c010020000000000000400000000000006d95a1f400000000f55453013c000000c7cdd1d602000000' +
        '204000000000000003401e18240a06000600000001401e18240a060000093139322e302e322e37484550330006060000' +
        '0002401e18240a0600010b323030313a6462383a3a31484550330006',
      'hex',
    )
    const span = decodeSpan(golden, 0x4000, 0x4000, true)
    expect(span.damagedBytes).toEqual([])
    expect(span.receivedUntilUs).toBe(1_700_000_000_000_003)
    expect(span.frames).toEqual([
      {
        receivedAtUs: 1_700_000_000_000_001,
        transport: 'udp',
        peerAddress: '192.0.2.7',
        bytes: Buffer.from('HEP3\0\x06'),
        position: 0x4020,
      },
      {
        receivedAtUs: 1_700_000_000_000_002,
        transport: 'tcp',
        peerAddress: '2001:db8::1',
        bytes: Buffer.from('HEP3\0\x06'),
        position: 0x4020,
      },
    ])
  })

  test('a segment of a newer format is an error that says what to do', () => {
    const { bytes } = encodeSegment(0, [])
    bytes.writeUInt16LE(2, 8)
    const resealed = Buffer.from(bytes)
    resealed.writeUInt32LE(crc32(resealed.subarray(0, 24)), 24)
    expect(() => decodeSpan(resealed, 0, 0, true)).toThrow(
      expect.objectContaining({
        code: 'TRUNKSCOPE_SPOOL_VERSION',
        message: expect.stringContaining('newer version'),
      }),
    )
  })

  test('a segment is named by its start position, and other files are not segments', () => {
    expect(segmentName(64)).toBe('0000000000000064.spool')
    expect(segmentStart(segmentName(2 ** 53 - 1))).toBe(2 ** 53 - 1)
    expect(segmentStart('cursor.json')).toBeUndefined()
    expect(segmentStart('0000000000000064.spool.tmp')).toBeUndefined()
  })
})
