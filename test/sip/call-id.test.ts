import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callIdIn, callIdOf } from '../../sip/call-id.js'
import { sipPayloadOfFrame } from '../../sip/hep.js'
import { encodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { HEADER_LINES_MAX, LINE_MAX_CHARS, readSip } from '../../sip/sip-message.js'

const RFC4475 = join('test', 'fixtures', 'rfc4475')

function found(message: string): string {
  return callIdIn(Buffer.from(message, 'latin1'))?.toString('latin1') ?? ''
}

function read(message: string): string {
  return readSip(Buffer.from(message, 'latin1')).callId
}

/** What a frame says when every reader is asked in turn. */
function slowCallIdOf(frame: Buffer): string {
  const payload = sipPayloadOfFrame(frame)
  return 'reason' in payload ? '' : readSip(payload).callId
}

function fastCallIdOf(frame: Buffer): string {
  return callIdOf(frame)?.toString('latin1') ?? ''
}

const INVITE = [
  'INVITE sip:b@example.com SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1;branch=z9',
  'Call-ID: c1@example.com',
  'CSeq: 1 INVITE',
  '',
  'v=0',
].join('\r\n')

describe('call-id', () => {
  test.each([
    ['the long form', 'Call-ID: c1@h\r\n'],
    ['letters of any case', 'CALL-id: c1@h\r\n'],
    ['the compact form', 'i: c1@h\r\n'],
    ['white space before the colon', 'Call-ID \t: \t c1@h \t\r\n'],
    ['no white space', 'Call-ID:c1@h\r\n'],
    ['line feeds alone', 'Call-ID: c1@h\n'],
    ['a value folded onto the next line', 'Call-ID:\r\n  c1@h\r\n'],
    ['a first header that is indented', '  Call-ID: c1@h\r\n'],
    ['another header folded before it', 'Subject: a\r\n i: not this\r\nCall-ID: c1@h\r\n'],
    ['an empty one before it', 'Call-ID: \r\ni: c1@h\r\n'],
    ['a second one behind it', 'i: c1@h\r\nCall-ID: other\r\n'],
    ['the end of the message right behind it', 'Call-ID: c1@h'],
  ])('reads %s', (_what, headers) => {
    for (const start of ['OPTIONS sip:a SIP/2.0\r\n', '\r\n\r\n SIP/2.0 200 OK\r\n', 'nonsense\n']) {
      expect(found(start + headers)).toBe('c1@h')
      expect(read(start + headers)).toBe('c1@h')
    }
  })

  test.each([
    ['a body that looks like a header', 'INVITE a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: c1@h\r\n'],
    ['a start line that looks like one', 'Call-ID: c1@h\r\nVia: x\r\n\r\n'],
    ['other names', 'INVITE a SIP/2.0\r\nCall-IDs: a\r\nCall-Info: b\r\nIdentity: c\r\nX-Call-ID: d\r\n\r\n'],
    [
      'a line longer than readers look at',
      `INVITE a SIP/2.0\r\nCall-ID: ${'x'.repeat(LINE_MAX_CHARS)}\r\n\r\n`,
    ],
    ['one behind too many lines', `INVITE a SIP/2.0\r\n${'A: b\r\n'.repeat(HEADER_LINES_MAX)}i: c\r\n\r\n`],
    ['no message', ''],
  ])('finds none in %s', (_what, message) => {
    expect(found(message)).toBe('')
    expect(read(message)).toBe('')
  })

  test.each(readdirSync(RFC4475))('RFC 4475 %s: the same as the reader', (name) => {
    const message = readFileSync(join(RFC4475, name))
    expect(callIdIn(message)?.toString('latin1') ?? '').toBe(readSip(message).callId)
  })

  test('the frames of a real capture give what the readers give', () => {
    const capture = readFileSync('test/fixtures/hep/kamailio-siptrace.hep')
    let frames = 0
    new Hep3StreamReader().push(capture, (bytes, start, end) => {
      const frame = Buffer.from(bytes.subarray(start, end))
      expect(fastCallIdOf(frame)).toBe(slowCallIdOf(frame))
      if (fastCallIdOf(frame) !== '') frames++
    })
    expect(frames).toBeGreaterThan(10)
  })

  test.each([undefined, 'gzip', 'zlib', 'raw'] as const)(
    'looks into a payload compressed with %s',
    (compress) => {
      const frame = encodeHep3({ payload: INVITE, ...(compress === undefined ? {} : { compress }) })
      expect(fastCallIdOf(frame)).toBe('c1@example.com')
    },
  )

  test('a frame that is not SIP, or no HEP3 frame, has none', () => {
    expect(callIdOf(encodeHep3({ payload: INVITE, protocolType: 5 }))).toBeUndefined()
    expect(callIdOf(encodeHep3({}))).toBeUndefined()
    expect(callIdOf(Buffer.from(INVITE))).toBeUndefined()
    expect(callIdOf(encodeHep3({ payload: INVITE }).subarray(0, -1))).toBeUndefined()
  })

  test('a HEP2 frame has the Call-ID of the message behind its header', () => {
    // version, length 16, family, protocol; ports and addresses; time, agent and padding
    const header = Buffer.concat([Buffer.from([2, 16, 2, 17]), Buffer.alloc(24, 1)])
    expect(fastCallIdOf(Buffer.concat([header, Buffer.from(INVITE)]))).toBe('c1@example.com')
  })

  test('any message gives the Call-ID that the reader gives', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ...[
          'Call-ID',
          'call-id',
          'CALL-ID',
          'i',
          'I',
          'Call-',
          'Identity',
          'Via',
          'C',
          'Call\rID',
          'CallMID',
        ],
        ...[
          ':',
          ' :',
          ': ',
          '\t',
          ' ',
          '\r\n',
          '\r\n',
          '\n',
          '\r',
          '\r\n ',
          '\r\n\r\n',
          '\0',
          '\u00a0',
          '\v',
        ],
        ...['c1@h', 'INVITE sip:a SIP/2.0\r\n', 'SIP/2.0 200 OK\r\n', 'Call-ID: x\r\n', 'Content-Length: 0'],
      ),
      { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
    )
    const property = fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const message = pieces.join('')
      expect(found(message)).toBe(read(message))
    })
    fc.assert(property, { numRuns: 20_000 })
  })

  test('any frame gives the Call-ID that the readers give, and no bytes make it throw', () => {
    const chunk = fc.record({
      vendor: fc.constantFrom(0, 0, 0, 1),
      type: fc.constantFrom(0x0b, 0x0f, 0x10, 0x0f, 0x10b, 0x13),
      value: fc.oneof(
        fc.constant(Buffer.from(INVITE)),
        fc.constant(Buffer.from(INVITE.replace('c1', 'c2'))),
        fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
      ),
    })
    const frame = fc.record({ chunks: fc.array(chunk, { maxLength: 5 }), at: fc.nat(), value: fc.nat(255) })
    const property = fc.property(frame, fc.boolean(), ({ chunks, at, value }, isDamaged) => {
      const bytes = encodeHep3({ payload: INVITE, extraChunks: chunks })
      if (isDamaged) bytes[at % bytes.length] = value
      expect(fastCallIdOf(bytes)).toBe(slowCallIdOf(bytes))
    })
    fc.assert(property, { numRuns: 5_000 })
    const anything = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      callIdOf(Buffer.from(bytes))
      callIdIn(Buffer.from(bytes))
    })
    fc.assert(anything, { numRuns: 5_000 })
  })
})
