import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSdp, sdpBodyOf, sdpHash } from '../../sip/sdp.js'
import { readSip } from '../../sip/sip-message.js'

const SDP = [
  'v=0',
  'o=SBC 1 1 IN IP4 192.0.2.1',
  's=-',
  'c=IN IP4 192.0.2.1',
  't=0 0',
  'm=audio 27000 RTP/AVP 8 0 101',
  'a=rtpmap:101 telephone-event/8000',
  'a=sendrecv',
  '',
].join('\r\n')

function message(body: string, type = 'application/sdp', lengthOf = body): Buffer {
  return Buffer.from(
    `SIP/2.0 183 Progress\r\nContent-Type: ${type}\r\nContent-Length: ${lengthOf.length}\r\n\r\n${body}`,
    'latin1',
  )
}

function hash(body: string, type?: string, lengthOf?: string): string {
  const bytes = message(body, type, lengthOf)
  return sdpHash(bytes, readSip(bytes))
}

describe('sdp', () => {
  test('address, media, formats and direction are read', () => {
    expect(readSdp(SDP)).toEqual({
      connectionAddress: '192.0.2.1',
      media: [
        {
          kind: 'audio',
          port: 27000,
          transport: 'RTP/AVP',
          formats: ['8', '0', '101=telephone-event/8000'],
          direction: 'sendrecv',
          address: '192.0.2.1',
        },
      ],
    })
  })

  test('a section takes address and direction of the session unless it has its own', () => {
    const text =
      'v=0\nc=IN IP4 10.0.0.1/127/3\na=sendonly\nm=audio 1/2 RTP/AVP 0\nm=video 3 RTP/AVP 31\nc=IN IP6 2001:DB8::1\na=inactive\n'
    expect(readSdp(text).media).toMatchObject([
      { kind: 'audio', port: 1, address: '10.0.0.1', direction: 'sendonly' },
      { kind: 'video', port: 3, address: '2001:db8::1', direction: 'inactive' },
    ])
  })

  test('nonsense gives what is legible', () => {
    expect(readSdp('m=\nm=audio x\nc=\nhello\n=\n')).toEqual({
      connectionAddress: '',
      media: [
        { kind: '', port: 0, transport: '', formats: [], direction: 'sendrecv', address: '' },
        { kind: 'audio', port: 0, transport: '', formats: [], direction: 'sendrecv', address: '' },
      ],
    })
  })

  test('no more than 64 media sections and their formats are read', () => {
    const { media } = readSdp(
      `m=audio 1 RTP/AVP ${'0 '.repeat(5_000)}\r\n`.repeat(5) + 'm=audio 1 RTP/AVP 0\r\n'.repeat(1_000),
    )
    expect(media).toHaveLength(64)
    expect(media[0]!.formats).toHaveLength(64)
  })

  test('any text is read without a throw', () => {
    const unit = fc.constantFrom(
      'm=audio ',
      'c=IN IP4 ',
      'a=',
      'rtpmap:',
      'sendonly',
      '\r\n',
      '\n',
      '0',
      '96',
      ' ',
      '/',
      '-',
    )
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), (text) => {
        readSdp(text)
        hash(text)
        hash(text, 'multipart/mixed')
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('sdp hash', () => {
  test('16 hex digits with SDP, nothing without', () => {
    expect(hash(SDP)).toMatch(/^[0-9a-f]{16}$/)
    expect(hash('hello', 'text/plain')).toBe('')
    expect(hash('')).toBe('')
  })

  test('a truncated message has no hash', () => {
    expect(hash(SDP, 'application/sdp', `${SDP}more`)).toBe('')
  })

  test.each([
    ['the o= version', 'o=SBC 1 1', 'o=SBC 1 2'],
    ['the t= line', 't=0 0', 't=1 2'],
    ['the s= line', 's=-', 's=call'],
    ['line ends', '\r\n', '\n'],
    ['an attribute of no interest', 'a=sendrecv', 'a=sendrecv\r\na=ptime:20'],
    ['a direction that is the default', 'a=sendrecv\r\n', ''],
    ['an rtpmap of a static type', 'a=sendrecv', 'a=rtpmap:0 PCMU/8000\r\na=sendrecv'],
    [
      'the address at the section instead of the session',
      'c=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 27000 RTP/AVP 8 0 101',
      't=0 0\r\nm=audio 27000 RTP/AVP 8 0 101\r\nc=IN IP4 192.0.2.1',
    ],
  ])('does not change with %s', (_what, from, to) => {
    expect(SDP.includes(from)).toBe(true)
    expect(hash(SDP.replaceAll(from, to))).toBe(hash(SDP))
  })

  test.each([
    ['the address', 'c=IN IP4 192.0.2.1', 'c=IN IP4 192.0.2.2'],
    ['a port', '27000', '27002'],
    ['the codecs', '8 0 101', '0 101'],
    ['the order of codecs', '8 0 101', '0 8 101'],
    ['the codec of a dynamic type', 'telephone-event', 'opus'],
    ['the direction', 'a=sendrecv', 'a=sendonly'],
    ['another media section', 'a=sendrecv', 'a=sendrecv\r\nm=video 0 RTP/AVP 31'],
  ])('changes with %s', (_what, from, to) => {
    expect(hash(SDP.replace(from, to))).not.toBe(hash(SDP))
  })

  test('the SDP part of a multipart body has the hash of the SDP alone', () => {
    const isup = 'Content-Type: application/isup;version=x\r\n\r\n\x01\x00\x48\r\n'
    const part = `Content-Type: application/sdp\r\nContent-Disposition: session\r\n\r\n${SDP}`
    const type = 'multipart/mixed; boundary="b 1"'
    expect(hash(`--b 1\r\n${part}\r\n--b 1\r\n${isup}--b 1--\r\n`, type)).toBe(hash(SDP))
    expect(hash(`preamble\r\n--b 1\r\n${isup}--b 1\r\n${part}--b 1--\r\n`, type)).toBe(hash(SDP))
    const nested = `--o\r\nContent-Type: multipart/alternative;boundary=i\r\n\r\n--i\r\n${part}--i--\r\n--o--`
    expect(hash(nested, 'multipart/mixed;boundary=o')).toBe(hash(SDP))
    expect(hash(`--b 1\r\n${isup}--b 1--\r\n`, type)).toBe('')
  })

  test('an empty SDP part is empty', () => {
    const bytes = message('--b\r\nContent-Type: application/sdp\r\n\r\n--b--', 'multipart/mixed;boundary=b')
    expect(sdpBodyOf(bytes, readSip(bytes))).toBe('')
  })
})
