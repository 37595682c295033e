import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeRecord, encodeRecord, frameBytesInRecord, headBytes } from '../../../collector/bus/record.js'
import { type ReceivedFrame, TRANSPORTS } from '../../../schemas/hep-frame.js'

const HEAD = { basePartitions: 24, publisher: 'fra-1', receivedUntilUs: 1_795_217_976_000_123 }
const FRAME: ReceivedFrame = {
  receivedAtUs: 1_795_217_976_000_001,
  transport: 'tcp',
  peerAddress: '192.0.2.1',
  bytes: Buffer.from('HEP3\0\x06'),
  position: 7,
}

const anyFrame: fc.Arbitrary<ReceivedFrame> = fc.record({
  receivedAtUs: fc.maxSafeNat(),
  transport: fc.constantFrom(...TRANSPORTS),
  peerAddress: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('file')),
  bytes: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  position: fc.constant(7),
})

const anyHead = fc.record({
  basePartitions: fc.integer({ min: 1, max: 1_024 }),
  publisher: fc.string({ unit: 'grapheme', maxLength: 20 }),
  receivedUntilUs: fc.maxSafeNat(),
})

/** A sound checksum over whatever stands there. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(9)), 5)
  return bytes
}

describe('record', () => {
  test('the bytes are those of the version before: a topic outlives an upgrade', () => {
    const golden =
      'f5544b520193c6ffcf1800056672612d317bfec0c1bd6006000100000006000000' +
      '01fec0c1bd60060001093139322e302e322e31484550330006'
    expect(encodeRecord(HEAD, [FRAME]).toString('hex')).toBe(golden)
    expect(decodeRecord(Buffer.from(golden, 'hex'), 7)).toEqual({ ...HEAD, frames: [FRAME] })
  })

  test('what is written is read, and takes the bytes that were announced', () => {
    const property = fc.property(anyHead, fc.array(anyFrame, { maxLength: 8 }), (head, frames) => {
      const bytes = encodeRecord(head, frames)
      expect(decodeRecord(bytes, 7)).toEqual({ ...head, frames })
      const announced = frames.reduce(
        (sum, frame) => sum + frameBytesInRecord(frame),
        headBytes(head.publisher),
      )
      expect(bytes.length).toBe(announced)
    })
    fc.assert(property)
  })

  test('a record without frames carries the promise alone', () => {
    expect(decodeRecord(encodeRecord(HEAD, []), 0)).toEqual({ ...HEAD, frames: [] })
  })

  test('any damaged byte and any cut gives record_damaged', () => {
    const bytes = encodeRecord(HEAD, [FRAME, { ...FRAME, transport: 'udp' }])
    for (let at = 0; at < bytes.length; at++) {
      if (at === 4) continue // The version, which has a sentence of its own below.
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= 0x10
      expect(decodeRecord(flipped, 0)).toEqual({ reason: 'record_damaged' })
      expect(decodeRecord(bytes.subarray(0, at), 0)).toEqual({ reason: 'record_damaged' })
    }
    expect(decodeRecord(Buffer.concat([bytes, Buffer.from([0])]), 0)).toEqual({ reason: 'record_damaged' })
  })

  test('a newer version is named, when the bytes are sound', () => {
    const bytes = encodeRecord(HEAD, [FRAME])
    bytes[4] = 2
    expect(decodeRecord(bytes, 0)).toEqual({ newerVersion: 2 })
    bytes[20]! ^= 1
    expect(decodeRecord(bytes, 0)).toEqual({ reason: 'record_damaged' })
  })

  test('any bytes give a record or a reason (fuzz)', () => {
    const anything = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes))
    // With sound magic, version and checksum the rest of the reader gets its turn.
    const sound = anything.map((bytes) => {
      const record = Buffer.concat([encodeRecord(HEAD, [FRAME]).subarray(0, 9), bytes])
      return sealed(record)
    })
    const mutated = fc
      .record({ frames: fc.array(anyFrame, { maxLength: 4 }), at: fc.nat(), value: fc.nat(255) })
      .map(({ frames, at, value }) => {
        const record = encodeRecord(HEAD, frames)
        record[9 + (at % (record.length - 9))] = value
        return sealed(record)
      })
    const property = fc.property(fc.oneof(anything, sound, mutated), (bytes) => {
      const record = decodeRecord(bytes, 3)
      if ('frames' in record) {
        const size = record.frames.reduce((sum, { bytes: { length } }) => sum + length, 0)
        expect(size).toBeLessThan(bytes.length)
      } else {
        expect(record).toEqual('reason' in record ? { reason: 'record_damaged' } : { newerVersion: bytes[4] })
      }
    })
    fc.assert(property, { numRuns: 10_000 })
  })

  test('a name that does not fit is a mistake of ours', () => {
    expect(() => encodeRecord({ ...HEAD, publisher: 'x'.repeat(256) }, [])).toThrow(RangeError)
  })
})
