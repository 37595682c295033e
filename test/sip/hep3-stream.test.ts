import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'

const FRAME = encodeHep3({
  sourceAddress: '192.0.2.1',
  agentId: 1,
  payload: 'OPTIONS sip:a@b SIP/2.0\r\n\r\n',
})

/** Pushes the slices and returns what came out. */
function read(slices: Buffer[]): { frames: string[]; skippedBytes: number; pendingBytes: number } {
  const reader = new Hep3StreamReader()
  const frames: string[] = []
  for (const slice of slices) {
    reader.push(slice, (bytes, start, end) => frames.push(bytes.toString('latin1', start, end)))
  }
  return { frames, skippedBytes: reader.skippedBytes, pendingBytes: reader.pendingBytes }
}

const MEMBER = gzipSync(FRAME)

/** The same with what `push` answered last. */
function readGzip(slices: Buffer[]) {
  const reader = new Hep3StreamReader()
  const frames: string[] = []
  let refusal = ''
  for (const slice of slices) {
    refusal = reader.push(slice, (bytes, start, end) => frames.push(bytes.toString('latin1', start, end)))
  }
  return { frames, skippedBytes: reader.skippedBytes, pendingBytes: reader.pendingBytes, refusal }
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  const slices: Buffer[] = []
  let from = 0
  for (const place of [...sorted, bytes.length]) {
    slices.push(bytes.subarray(from, place))
    from = place
  }
  return slices
}

describe('hep3 stream', () => {
  test('several frames in one read come out one by one, as views', () => {
    const bytes = Buffer.concat([FRAME, FRAME, FRAME])
    const starts: number[] = []
    new Hep3StreamReader().push(bytes, (given, start) => {
      expect(given).toBe(bytes)
      starts.push(start)
    })
    expect(starts).toEqual([0, FRAME.length, 2 * FRAME.length])
  })

  test('a frame byte by byte comes out once, when it is complete', () => {
    const slices = [...FRAME].map((byte) => Buffer.from([byte]))
    const text = FRAME.toString('latin1')
    expect(read(slices.slice(0, -1))).toEqual({ frames: [], skippedBytes: 0, pendingBytes: FRAME.length - 1 })
    expect(read(slices)).toEqual({ frames: [text], skippedBytes: 0, pendingBytes: 0 })
  })

  test('garbage is skipped to the next sane frame and counted', () => {
    const garbage = Buffer.from('GET / HTTP/1.1\r\nHost: HEP HEP3\0\x02 ')
    expect(read([garbage, FRAME])).toEqual({
      frames: [FRAME.toString('latin1')],
      skippedBytes: garbage.length,
      pendingBytes: 0,
    })
  })

  test('a length below 6, or one that no chunk fits into, begins no frame', () => {
    for (const length of [0, 5, 7, 11]) {
      const bytes = Buffer.from(`HEP3\0${String.fromCharCode(length)}`, 'latin1')
      expect(read([bytes, FRAME]).skippedBytes).toBe(6)
    }
  })

  test('a first chunk that runs past its frame begins no frame', () => {
    const bytes = Buffer.from('HEP3\0\x10\0\0\0\x01\0\x0b', 'latin1')
    expect(read([bytes, FRAME])).toMatchObject({ frames: [FRAME.toString('latin1')], skippedBytes: 12 })
  })

  test('a frame whose later chunk is bad is handed over whole', () => {
    const bytes = Buffer.from(FRAME)
    bytes.writeUInt16BE(60_000, 6 + 7 + 4)
    expect(read([bytes, FRAME]).frames).toHaveLength(2)
  })

  test('a frame without chunks is a frame, also right behind a false beginning', () => {
    const ping = 'HEP3\0\x06'
    expect(read([Buffer.from(ping)]).frames).toEqual([ping])
    // The false beginning's length and first chunk overlap the ping: nothing of the ping may be lost.
    const bytes = Buffer.concat([Buffer.from('HEP3\0HEP3\0\x06', 'latin1'), FRAME])
    const whole = read([bytes])
    expect(whole.frames).toEqual([ping, FRAME.toString('latin1')])
    expect(read(cut(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))).toEqual(whole)
  })

  test('the largest frame in the smallest reads is kept in one frame of memory', () => {
    const frame = encodeHep3({ payload: Buffer.alloc(65_535 - 6 - 21 - 6) })
    expect(frame.length).toBe(65_535)
    const reader = new Hep3StreamReader()
    let frames = 0
    for (let at = 0; at < frame.length; at += 97) {
      reader.push(frame.subarray(at, at + 97), () => frames++)
      expect(reader.pendingBytes).toBeLessThanOrEqual(65_535)
    }
    expect(frames).toBe(1)
    expect(reader.pendingBytes).toBe(0)
  })

  test('the Kamailio capture holds 844 frames and nothing else, in reads of any size', () => {
    const capture = readFileSync(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url))
    for (const size of [1_000_000, 65_536, 1_460, 13]) {
      const places = Array.from(
        { length: Math.floor(capture.length / size) },
        (_, index) => (index + 1) * size,
      )
      const { frames, skippedBytes, pendingBytes } = read(cut(capture, places))
      expect([frames.length, skippedBytes, pendingBytes]).toEqual([844, 0, 0])
    }
  })

  test('the output does not depend on how the stream is cut, garbage included', () => {
    const piece = fc.oneof(
      fc.constant(FRAME),
      fc
        .constantFrom(
          'HEP3',
          'HEP3\0\x06',
          'HE',
          'H',
          'HEP3\0HEP3\0\x06',
          'HEP3\0\x0c\0\0\0\0\0\x06',
          'HEP3\0\x0d\0\0\0',
        )
        .map((text) => Buffer.from(text, 'latin1')),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc.record({ at: fc.nat(FRAME.length - 1), value: fc.nat(255) }).map(({ at, value }) => {
        const bytes = Buffer.from(FRAME)
        bytes[at] = value
        return bytes
      }),
      fc.nat(FRAME.length).map((size) => FRAME.subarray(0, size)),
    )
    const property = fc.property(
      fc.array(piece, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(5_000), { maxLength: 40 }),
      (pieces, places) => {
        const bytes = Buffer.concat(pieces)
        const whole = read([bytes])
        expect(read(cut(bytes, places))).toEqual(whole)
        const handedOver = whole.frames.reduce((sum, frame) => sum + frame.length, 0)
        expect(handedOver + whole.skippedBytes + whole.pendingBytes).toBe(bytes.length)
      },
    )
    fc.assert(property, { numRuns: 3_000 })
  })

  test('every byte by itself gives the same as all at once', () => {
    const piece = fc.constantFrom(
      'HEP3',
      '\0\x06',
      '\0\x0c',
      '\0\x14',
      'HEP',
      'H',
      '\0\0\0\x01',
      '\0\x07\x02',
      'x',
    )
    const property = fc.property(fc.array(piece, { minLength: 1, maxLength: 14 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''), 'latin1')
      expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(read([bytes]))
    })
    fc.assert(property, { numRuns: 3_000 })
  })
})

describe('hep3 stream with frames in gzip', () => {
  const text = FRAME.toString('latin1')

  test('members and plain frames follow each other in any order, cut anywhere', () => {
    const property = fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(5_000), { maxLength: 40 }),
      (zipped, places) => {
        const bytes = Buffer.concat(zipped.map((isZipped) => (isZipped ? MEMBER : FRAME)))
        expect(readGzip(cut(bytes, places))).toEqual({
          frames: zipped.map(() => text),
          skippedBytes: 0,
          pendingBytes: 0,
          refusal: '',
        })
      },
    )
    fc.assert(property, { numRuns: 1_000 })
  })

  test('a member whose end has not come is pending', () => {
    expect(readGzip([FRAME, MEMBER.subarray(0, 40)])).toEqual({
      frames: [text],
      skippedBytes: 0,
      pendingBytes: 40,
      refusal: '',
    })
  })

  test('inside a run of garbage nothing is taken for gzip', () => {
    const { frames, refusal } = readGzip([Buffer.concat([Buffer.from('junk'), MEMBER, FRAME, MEMBER])])
    expect(frames).toEqual([text, text])
    expect(refusal).toBe('')
  })

  test('a damaged member ends the stream with a reason: nothing behind it is read', () => {
    const damaged = Buffer.from(MEMBER)
    damaged[MEMBER.length - 6]! ^= 1
    for (const slices of [[Buffer.concat([FRAME, damaged, FRAME])], [FRAME, damaged, FRAME]]) {
      expect(readGzip(slices)).toMatchObject({ frames: [text], refusal: 'gzip_damaged' })
    }
  })

  test('a member that would grow too large ends the stream', () => {
    expect(readGzip([gzipSync(Buffer.alloc(1_000_000))])).toMatchObject({
      frames: [],
      refusal: 'gzip_too_large',
    })
  })

  test('a member that dribbles is given up, and costs no more memory than a frame', () => {
    const reader = new Hep3StreamReader()
    const endless = Buffer.alloc(10, Buffer.from('000000ffff', 'hex'))
    let refusal = reader.push(MEMBER.subarray(0, 10), () => expect.unreachable())
    let reads = 0
    for (; refusal === '' && reads < 1_000; reads++)
      refusal = reader.push(endless, () => expect.unreachable())
    expect(refusal).toBe('gzip_damaged')
    expect(reads).toBeLessThan(100)
    expect(reader.pendingBytes).toBeLessThan(1_000)
  })

  test('a large member in a few reads is put together', () => {
    const frame = encodeHep3({
      payload: Buffer.from(Array.from({ length: 60_000 }, (_, index) => (index * index) >> 3)),
    })
    const member = gzipSync(frame)
    const places = Array.from(
      { length: Math.floor(member.length / 1_460) },
      (_, index) => (index + 1) * 1_460,
    )
    expect(readGzip(cut(Buffer.concat([member, FRAME]), places)).frames).toEqual([
      frame.toString('latin1'),
      text,
    ])
  })
})
