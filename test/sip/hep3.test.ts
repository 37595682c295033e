import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEP_FLAG, type HepFrame } from '../../schemas/hep-frame.js'
import { CAPTURE_REASONS, DECODE_REASONS } from '../../schemas/reasons.js'
import {
  authKeyOf,
  checkHep3,
  decodeHep3,
  encodeHep3,
  type Hep3Fields,
  sipPayloadOf,
} from '../../sip/hep3.js'

const VECTOR_K = Buffer.from(
  `48455033 0071 00000001000702 00000002000711 00000003000ad4ca0001 00000004000a527400d3 0000000700082eea
   00000008000813c4 00000009000a4e4982cb 0000000a000a0001d4c0 0000000b000701 0000000c000a000000e4
   0000000f0014494e56495445207369703a626f62`.replace(/\s/g, ''),
  'hex',
)

const FIELDS: Hep3Fields = {
  sourceAddress: '192.0.2.1',
  sourcePort: 5060,
  destinationAddress: '198.51.100.20',
  destinationPort: 5080,
  capturedAtUs: 1_795_217_976_000_321,
  agentId: 2001,
  payload: 'OPTIONS sip:a@b SIP/2.0\r\n\r\n',
}

function decoded(bytes: Buffer): HepFrame {
  const frame = decodeHep3(bytes)
  if ('reason' in frame) throw new Error(`refused: ${frame.reason}`)
  return frame
}

function reasonOf(bytes: Buffer): string {
  const frame = decodeHep3(bytes)
  return 'reason' in frame ? frame.reason : ''
}

/** A frame of raw chunks: [vendor, type, value as hex]. */
function frameOf(...chunks: [number, number, string][]): Buffer {
  return encodeHep3({
    ...FIELDS,
    extraChunks: chunks.map(([vendor, type, hex]) => ({ vendor, type, value: Buffer.from(hex, 'hex') })),
  })
}

describe('hep3', () => {
  test('vector K, the example of the specification, is read field by field', () => {
    expect(decoded(VECTOR_K)).toEqual({
      protocolType: 1,
      ipProtocol: 17,
      sourceAddress: '212.202.0.1',
      sourcePort: 12010,
      destinationAddress: '82.116.0.211',
      destinationPort: 5060,
      capturedAtUs: 1_313_440_459_120_000,
      agentId: 228,
      agentName: '',
      correlationId: '',
      payload: Buffer.from('INVITE sip:bob'),
      flags: 0,
    })
  })

  test('every field that is encoded is decoded', () => {
    const frame = decoded(
      encodeHep3({
        ...FIELDS,
        protocolType: 5,
        ipProtocol: 6,
        agentName: 'sbc-1',
        correlationId: 'c@1',
        authKey: 'k',
      }),
    )
    expect(frame).toMatchObject({
      protocolType: 5,
      ipProtocol: 6,
      sourceAddress: '192.0.2.1',
      sourcePort: 5060,
      destinationAddress: '198.51.100.20',
      destinationPort: 5080,
      capturedAtUs: 1_795_217_976_000_321,
      agentId: 2001,
      agentName: 'sbc-1',
      correlationId: 'c@1',
      flags: 0,
    })
    expect(frame.payload.toString()).toBe(FIELDS.payload)
  })

  test('reads IPv6 addresses from chunks 5 and 6', () => {
    const frame = decoded(
      encodeHep3({ ...FIELDS, sourceAddress: '2001:db8::1', destinationAddress: '2001:db8:0:1::' }),
    )
    expect(frame).toMatchObject({
      sourceAddress: '2001:db8::1',
      destinationAddress: '2001:db8:0:1::',
      flags: 0,
    })
  })

  test('the two ends may be of different families', () => {
    const frame = decoded(encodeHep3({ ...FIELDS, destinationAddress: '2001:db8::2' }))
    expect(frame).toMatchObject({ sourceAddress: '192.0.2.1', destinationAddress: '2001:db8::2', flags: 0 })
  })

  test('an IPv4-mapped IPv6 address is the IPv4 address', () => {
    expect(decoded(encodeHep3({ ...FIELDS, sourceAddress: '::ffff:203.0.113.9' })).sourceAddress).toBe(
      '203.0.113.9',
    )
  })

  test('the family chunk decides nothing: the address chunk that is there does', () => {
    const frame = decoded(frameOf([0, 1, '0a']))
    expect(frame.sourceAddress).toBe('192.0.2.1')
  })

  test("another vendor's chunk 15 is not the payload", () => {
    const frame = decoded(frameOf([3, 0x0f, 'ffff'], [1, 0x0e, '6b6579']))
    expect(frame.payload.toString()).toBe(FIELDS.payload)
    expect(frame.flags).toBe(0)
  })

  test('unknown generic chunks are skipped', () => {
    expect(decoded(frameOf([0, 0x12, '0001'], [0, 0x29, '61'], [0, 0xffff, '']))).toMatchObject({ flags: 0 })
  })

  test('the last of two equal chunks wins and is flagged', () => {
    const frame = decoded(frameOf([0, 0x0c, '00000007'], [0, 0x0f, '6869']))
    expect(frame.agentId).toBe(7)
    expect(frame.payload.toString()).toBe('hi')
    expect(frame.flags).toBe(HEP_FLAG.repeatedChunk)
  })

  test('an IPv6 source behind an IPv4 source is a repeated chunk', () => {
    const frame = decoded(frameOf([0, 5, '20010db8000000000000000000000009']))
    expect(frame).toMatchObject({ sourceAddress: '2001:db8::9', flags: HEP_FLAG.repeatedChunk })
  })

  test('a frame without addresses is kept and flagged', () => {
    const { sourceAddress: _, ...fields } = FIELDS
    expect(decoded(encodeHep3(fields))).toMatchObject({ sourceAddress: '', flags: HEP_FLAG.missingAddress })
  })

  test('an address of the wrong size counts as missing', () => {
    const { destinationAddress: _, ...fields } = FIELDS
    const frame = encodeHep3({ ...fields, extraChunks: [{ vendor: 0, type: 4, value: Buffer.alloc(5) }] })
    expect(decoded(frame)).toMatchObject({ destinationAddress: '', flags: HEP_FLAG.missingAddress })
  })

  test('a frame without a timestamp, or with 0/0, is kept and flagged', () => {
    const { capturedAtUs: _, ...fields } = FIELDS
    const zero = encodeHep3({ ...fields, capturedAtUs: 0 })
    expect(decoded(encodeHep3(fields))).toMatchObject({ capturedAtUs: 0, flags: HEP_FLAG.missingTimestamp })
    expect(decoded(zero)).toMatchObject({ capturedAtUs: 0, flags: HEP_FLAG.missingTimestamp })
  })

  test('microseconds beyond a second are carried up to 2 s and dropped beyond', () => {
    const { capturedAtUs: _, ...fields } = FIELDS
    const at = (microseconds: number) => {
      const value = Buffer.alloc(4)
      value.writeUInt32BE(microseconds)
      const seconds = Buffer.from([0, 0, 0, 100])
      const extraChunks = [
        { vendor: 0, type: 9, value: seconds },
        { vendor: 0, type: 10, value },
      ]
      return decoded(encodeHep3({ ...fields, extraChunks })).capturedAtUs
    }
    expect(at(999_999)).toBe(100_999_999)
    expect(at(1_000_001)).toBe(101_000_001)
    expect(at(2_000_000)).toBe(100_000_000)
    expect(at(4_294_967_295)).toBe(100_000_000)
  })

  test('numbers are read in the size the agent chose', () => {
    expect(decoded(frameOf([0, 0x0c, '07d1'])).agentId).toBe(2001)
    expect(decoded(frameOf([0, 0x0c, 'ffffffff'])).agentId).toBe(4_294_967_295)
    expect(decoded(frameOf([0, 0x0c, '0000000001'])).agentId).toBe(0)
  })

  test('names lose their trailing NUL and what is beyond 255 bytes', () => {
    expect(decoded(encodeHep3({ ...FIELDS, agentName: 'node1\0' })).agentName).toBe('node1')
    expect(decoded(encodeHep3({ ...FIELDS, correlationId: 'x'.repeat(1_000) })).correlationId).toHaveLength(
      255,
    )
  })

  test('decodes a frame in the middle of a larger buffer', () => {
    const frame = encodeHep3(FIELDS)
    const bytes = Buffer.concat([Buffer.from('noise'), frame, Buffer.from('noise')])
    expect(decodeHep3(bytes, 5, 5 + frame.length)).toEqual(decodeHep3(frame))
  })

  test('the payload is a view into the frame, not a copy', () => {
    const bytes = encodeHep3(FIELDS)
    expect(decoded(bytes).payload.buffer).toBe(bytes.buffer)
  })

  test('the agent key is found in chunk 14 of vendor 0 only', () => {
    const bytes = encodeHep3({ ...FIELDS, authKey: 'secret' })
    expect(authKeyOf(bytes, 0, bytes.length)?.toString()).toBe('secret')
    const other = frameOf([7, 0x0e, '00'])
    expect(authKeyOf(other, 0, other.length)).toBeUndefined()
  })
})

describe('hep3 refusals', () => {
  test('bytes that do not begin with HEP3 give not_hep', () => {
    expect(reasonOf(Buffer.from('INVITE sip:a@b SIP/2.0'))).toBe('not_hep')
    expect(reasonOf(Buffer.from('H'))).toBe('frame_too_short')
    expect(reasonOf(Buffer.from('HEP2\0\x06'))).toBe('not_hep')
    expect(reasonOf(Buffer.from([2, 16, 2, 17]))).toBe('not_hep')
  })

  test('an empty datagram gives frame_too_short', () => {
    expect(reasonOf(Buffer.alloc(0))).toBe('frame_too_short')
  })

  test('a frame cut at any byte gives a reason', () => {
    for (let size = 0; size < VECTOR_K.length; size++) {
      expect(reasonOf(VECTOR_K.subarray(0, size))).toBe('frame_too_short')
    }
  })

  test('bytes behind the frame give length_mismatch', () => {
    expect(reasonOf(Buffer.concat([VECTOR_K, Buffer.from('\0')]))).toBe('length_mismatch')
  })

  test('a header length below 6 gives frame_too_short', () => {
    expect(reasonOf(Buffer.from('HEP3\0\x05'))).toBe('frame_too_short')
  })

  test('a chunk length below 6 gives chunk_too_short', () => {
    const bytes = Buffer.from(VECTOR_K)
    bytes.writeUInt16BE(5, 10)
    expect(reasonOf(bytes)).toBe('chunk_too_short')
  })

  test('a chunk that runs past the frame gives chunk_overrun', () => {
    const bytes = Buffer.from(VECTOR_K)
    bytes.writeUInt16BE(65_535, 10)
    expect(reasonOf(bytes)).toBe('chunk_overrun')
  })

  test('fewer bytes than a chunk header at the end give chunk_overrun', () => {
    expect(reasonOf(Buffer.from('HEP3\0\x09abc'))).toBe('chunk_overrun')
  })

  test('a frame without chunks is well-formed and holds no SIP', () => {
    const bytes = Buffer.from('HEP3\0\x06')
    expect(checkHep3(bytes, 0, 6)).toBe('')
    expect(sipPayloadOf(decoded(bytes))).toEqual({ reason: 'keepalive' })
  })

  test('encoding what does not fit throws and says so', () => {
    expect(() => encodeHep3({ ...FIELDS, payload: Buffer.alloc(65_500) })).toThrow('65,535')
    expect(() => encodeHep3({ ...FIELDS, payload: Buffer.alloc(70_000) })).toThrow('65,529')
    expect(() => encodeHep3({ ...FIELDS, sourceAddress: '1.2.3' })).toThrow('neither')
  })
})

describe('hep3 compressed payload', () => {
  test.each(['gzip', 'zlib', 'raw'] as const)('chunk 16 with %s gives the payload and a flag', (compress) => {
    const frame = decoded(encodeHep3({ ...FIELDS, payload: 'INVITE '.repeat(20), compress }))
    expect(frame.payload.toString()).toBe('INVITE '.repeat(20))
    expect(frame.flags).toBe(HEP_FLAG.compressed)
  })

  test('damaged bytes give decompress_failed', () => {
    const gzip = gzipSync('INVITE sip:a@b SIP/2.0')
    const cut = { vendor: 0, type: 0x10, value: gzip.subarray(0, 15) }
    const junk = { vendor: 0, type: 0x10, value: Buffer.from('INVITE sip:a@b SIP/2.0') }
    const { payload: _, ...fields } = FIELDS
    expect(reasonOf(encodeHep3({ ...fields, extraChunks: [cut] }))).toBe('decompress_failed')
    expect(reasonOf(encodeHep3({ ...fields, extraChunks: [junk] }))).toBe('decompress_failed')
  })

  test('more than 64 KiB of output gives decompress_too_large, at a ratio below 100:1 as well', () => {
    const noise = Buffer.from(
      fc.sample(fc.uint8Array({ minLength: 1_000, maxLength: 1_000 }), { numRuns: 1, seed: 1 })[0]!,
    )
    const large = Buffer.concat([...Array(66).fill(noise)])
    expect(gzipSync(large).length * 100).toBeGreaterThan(65_536)
    expect(reasonOf(encodeHep3({ ...FIELDS, payload: large, compress: 'gzip' }))).toBe('decompress_too_large')
    expect(
      decoded(encodeHep3({ ...FIELDS, payload: large.subarray(0, 65_536), compress: 'raw' })).payload.length,
    ).toBe(65_536)
  })

  test('a ratio above 100:1 gives decompress_too_large, however small the output is', () => {
    expect(reasonOf(encodeHep3({ ...FIELDS, payload: Buffer.alloc(20_000), compress: 'zlib' }))).toBe(
      'decompress_too_large',
    )
  })

  test('a bomb of 64 MB in 64 KB is refused', () => {
    const bomb = deflateRawSync(Buffer.alloc(60_000_000), { level: 9 })
    expect(bomb.length).toBeLessThan(65_000)
    const extraChunks = [{ vendor: 0, type: 0x10, value: bomb }]
    expect(reasonOf(encodeHep3({ extraChunks }))).toBe('decompress_too_large')
  })

  test('only the last payload chunk is inflated, and only once', () => {
    const inner = gzipSync('INVITE sip:a@b SIP/2.0')
    const frame = decoded(encodeHep3({ ...FIELDS, payload: inner, compress: 'gzip' }))
    expect(frame.payload).toEqual(inner)
  })
})

describe('hep3 payload', () => {
  test('no payload, or only white space and NUL, is a keepalive', () => {
    for (const payload of ['', '\r\n\r\n', '\0\0\0\0', ' \t']) {
      expect(sipPayloadOf(decoded(encodeHep3({ ...FIELDS, payload })))).toEqual({ reason: 'keepalive' })
    }
  })

  test('another protocol type is not_sip', () => {
    for (const protocolType of [0, 5, 34, 35, 38, 53, 100]) {
      expect(sipPayloadOf(decoded(encodeHep3({ ...FIELDS, protocolType })))).toEqual({ reason: 'not_sip' })
    }
  })

  test('type 1 with bytes is SIP', () => {
    expect(sipPayloadOf(decoded(VECTOR_K))).toEqual(Buffer.from('INVITE sip:bob'))
  })
})

describe('hep3 fuzz', () => {
  const reasons = [...Object.keys(CAPTURE_REASONS), ...Object.keys(DECODE_REASONS)]

  function survives(bytes: Buffer): void {
    const frame = decodeHep3(bytes)
    const key = authKeyOf(bytes, 0, bytes.length)
    if (key !== undefined && key.length > bytes.length) throw new Error('key beyond the frame')
    if ('reason' in frame) {
      if (!reasons.includes(frame.reason)) throw new Error(`unknown reason ${frame.reason}`)
      return
    }
    if (checkHep3(bytes, 0, bytes.length) !== '') throw new Error('decoded what the check refuses')
    if (!Number.isSafeInteger(frame.capturedAtUs) || frame.capturedAtUs < 0) throw new Error('bad time')
    sipPayloadOf(frame)
  }

  test('any bytes give a frame or a reason', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => survives(Buffer.from(bytes)))
    fc.assert(property, { numRuns: 5_000 })
  })

  test('any chunks in a well-formed frame give a frame or a reason', () => {
    const chunk = fc.record({
      vendor: fc.constantFrom(0, 0, 0, 1, 7),
      type: fc.integer({ min: 0, max: 0x2a }),
      value: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    })
    const property = fc.property(fc.array(chunk, { maxLength: 30 }), (extraChunks) =>
      survives(encodeHep3({ extraChunks })),
    )
    fc.assert(property, { numRuns: 5_000 })
  })

  test('a good frame with changed, cut, doubled or inserted bytes gives a frame or a reason', () => {
    const good = encodeHep3({ ...FIELDS, agentName: 'n', authKey: 'k', compress: 'gzip' })
    const edit = fc.record({
      kind: fc.constantFrom('set', 'length', 'cut', 'double', 'insert'),
      at: fc.nat(good.length - 2),
      value: fc.nat(65_535),
    })
    const property = fc.property(
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (edits, repair) => {
        let bytes = Buffer.from(good)
        for (const { kind, at, value } of edits) {
          const place = Math.min(at, Math.max(0, bytes.length - 2))
          if (kind === 'cut') bytes = bytes.subarray(0, place)
          else if (kind === 'double') bytes = Buffer.concat([bytes, bytes.subarray(place)])
          else if (kind === 'insert')
            bytes = Buffer.concat([
              bytes.subarray(0, place),
              Buffer.from([value & 255]),
              bytes.subarray(place),
            ])
          else if (bytes.length > 1 && kind === 'length') bytes.writeUInt16BE(value, place)
          else if (bytes.length > 0) bytes[place] = value & 255
        }
        // With the header's length put right, the mutation reaches the chunks.
        if (repair && bytes.length > 6 && bytes.length <= 65_535) bytes.writeUInt16BE(bytes.length, 4)
        survives(bytes)
      },
    )
    fc.assert(property, { numRuns: 5_000 })
  })

  test('the check looks at no more than a fixed number of bytes a chunk', () => {
    // A frame of 10,921 empty chunks: the most there can be.
    const extraChunks = Array.from({ length: 10_000 }, () => ({
      vendor: 0,
      type: 0x0c,
      value: Buffer.alloc(0),
    }))
    const frame = encodeHep3({ extraChunks })
    let reads = 0
    const counted = new Proxy(frame, {
      get(target, key) {
        reads++
        return Reflect.get(target, key)
      },
    })
    expect(checkHep3(counted, 0, frame.length)).toBe('')
    expect(reads).toBeLessThanOrEqual(6 + 2 * 10_004)
  })
})
