import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HepFrame } from '../../schemas/hep-frame.js'
import type { SipMessage } from '../../schemas/sip-message.js'
import { decodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { detached, HEADER_LINES_MAX, LINE_MAX_CHARS, readableText, readSip } from '../../sip/sip-message.js'

const BASE = {
  Via: 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
  From: '<sip:a@example.com>;tag=f',
  To: '<sip:b@example.com>',
  'Call-ID': 'c1@example.com',
  CSeq: '1 INVITE',
}

/** An INVITE with these headers; a header given as undefined is left out, one of ours is replaced. */
function invite(headers: Record<string, string | undefined> = {}, body = '', lineEnd = '\r\n'): SipMessage {
  const lines = ['INVITE sip:b@example.com SIP/2.0']
  for (const [name, value] of Object.entries({ ...BASE, ...headers })) {
    if (value !== undefined) lines.push(`${name}: ${value}`)
  }
  return read([...lines, '', body].join(lineEnd))
}

function read(text: string): SipMessage {
  return readSip(Buffer.from(text, 'latin1'))
}

describe('sip', () => {
  test('compact forms are their long forms', () => {
    const long = invite(
      {
        Contact: '<sip:a@h>',
        'Content-Type': 'application/sdp',
        'Content-Length': '3',
        Supported: '100rel',
        Identity: 'x',
      },
      'v=0',
    )
    const compact = read(
      [
        'INVITE sip:b@example.com SIP/2.0',
        `v: ${BASE.Via}`,
        `f: ${BASE.From}`,
        `t: ${BASE.To}`,
        `i: ${BASE['Call-ID']}`,
        `CSeq: ${BASE.CSeq}`,
        'm: <sip:a@h>',
        'c: application/sdp',
        'l: 3',
        'k: 100rel',
        'y: x',
        ...[
          's: subject',
          'e: gzip',
          'x: 90',
          'o: refer',
          'u: x',
          'r: <sip:r>',
          'b: <sip:b>',
          'a: *',
          'd: x',
          'j: x',
          'n: x',
        ],
        '',
        'v=0',
      ].join('\r\n'),
    )
    expect({ ...compact, bodyOffset: 0 }).toEqual({ ...long, bodyOffset: 0 })
  })

  test('header names are read in any case, with white space before the colon and none behind it', () => {
    const message = read(
      'INVITE sip:b SIP/2.0\r\nVIA \t:SIP/2.0/UDP h\r\nfrOM:<sip:a>;tag=1\r\nTo :<sip:b>\r\ncall-id   :x\r\ncSEQ:1 INVITE\r\n\r\n',
    )
    expect(message).toMatchObject({ parseError: '', callId: 'x', viaHost: 'h', fromTag: '1', cseqNumber: 1 })
  })

  test('headers whose names only begin or end like ours are not ours', () => {
    const message = invite({
      'X-From': 'x',
      Fromage: 'x',
      'Call-IDs': 'y',
      Tot: 'z',
      'P-Asserted-Identities': 'q',
      Contacts: 'w',
      ci: 'x',
    })
    expect(message).toMatchObject({
      parseError: '',
      from: BASE.From,
      callId: BASE['Call-ID'],
      contact: '',
      assertedIdentities: [],
    })
  })

  test('LF alone, CR LF and mixtures end a line', () => {
    const { bodyOffset: _, ...fields } = invite({ 'Content-Length': '0' })
    expect(invite({ 'Content-Length': '0' }, '', '\n')).toMatchObject(fields)
    const mixed = read(
      'INVITE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP h\r\nFrom: a\nTo: b\r\nCall-ID: c\nCSeq: 1 INVITE\r\n\nbody',
    )
    expect(mixed).toMatchObject({ parseError: '', callId: 'c', bodyLength: 4 })
  })

  test('white space, line ends and NUL before the message are passed over', () => {
    expect(read(`\r\n\r\n \0\t\nSIP/2.0 180 Ringing\r\nCall-ID: x\r\n\r\n`)).toMatchObject({
      statusCode: 180,
      callId: 'x',
    })
  })

  test('folded lines are joined with one space', () => {
    const message = invite({ Contact: '<sip:a@h>\r\n  ;expires=60\r\n\t;q=1', CSeq: '1\r\n\tINVITE' })
    expect(message).toMatchObject({
      parseError: '',
      contact: '<sip:a@h> ;expires=60 ;q=1',
      cseqMethod: 'INVITE',
    })
  })

  test('a folded Identity keeps its place among several', () => {
    const message = read(
      `INVITE sip:b SIP/2.0\r\nIdentity: aaa.bbb.\r\n ccc;info=<x>\r\nIDENTITY: ..ddd;info=<y>\r\n\r\n`,
    )
    expect(message.identities).toEqual(['aaa.bbb. ccc;info=<x>', '..ddd;info=<y>'])
  })

  test('the first header may be indented by mistake', () => {
    expect(read('INVITE sip:b SIP/2.0\r\n Call-ID: x\r\nTo: b\r\n\r\n')).toMatchObject({
      callId: 'x',
      to: 'b',
    })
  })

  test('a tag is a parameter of the header, not of the URI, nor a word in a display name', () => {
    const tag = (from: string) => invite({ From: from }).fromTag
    expect(tag('<sip:a@h;tag=uri>;tag=header')).toBe('header')
    expect(tag('<sip:a@h;tag=uri>')).toBe('')
    expect(tag('"x;tag=name <y>" <sip:a@h>;x="q;tag=quoted";tag=t')).toBe('t')
    expect(tag('"a \\" ;tag=no" <sip:a>;TAG = t ;x')).toBe('t')
    expect(tag('sip:a@h;tag=t;x=y')).toBe('t')
    expect(tag('<sip:a@h>;tagx=no;xtag=no;tag=yes')).toBe('yes')
    expect(tag('<sip:a@h>;tag')).toBe('')
    expect(tag('<sip:a@h;tag=t')).toBe('')
    expect(tag('"unterminated <sip:a@h>;tag=t')).toBe('t')
  })

  test('the top Via is read with ports, IPv6 references and parameters in any order', () => {
    const via = (value: string) => {
      const { branch, viaHost, viaPort, viaReceived } = invite({ Via: value })
      return [viaHost, viaPort, branch, viaReceived]
    }
    expect(via('SIP/2.0/UDP 192.0.2.1')).toEqual(['192.0.2.1', 0, '', ''])
    expect(via('SIP/2.0/TCP Host.Example.COM:5061;rport;BRANCH=b;received=192.0.2.9')).toEqual([
      'host.example.com',
      5061,
      'b',
      '192.0.2.9',
    ])
    expect(via('SIP/2.0/UDP [2001:DB8::1]:5060;received=[2001:db8::9];branch=b')).toEqual([
      '2001:db8::1',
      5060,
      'b',
      '2001:db8::9',
    ])
    expect(
      via('SIP / 2.0 / UDP first.example.com : 4000 ;ttl=16 ; branch = b1 , SIP/2.0/UDP second;branch=b2'),
    ).toEqual(['first.example.com', 4000, 'b1', ''])
    expect(via('SIP/2.0/UDP a,SIP/2.0/UDP b;branch=b2')).toEqual(['a', 0, '', ''])
    expect(via('SIP/2.0/UDP h;x="a;branch=no,";branch=b')).toEqual(['h', 0, 'b', ''])
    expect(via('SIP/2.0/UDP h:99999;branch=b')).toEqual(['h', 0, 'b', ''])
  })

  test('asserted identities are split at commas outside quotes and brackets', () => {
    const message = invite({
      'P-Asserted-Identity': '"Cullen, Jennings" <sip:fluffy@cisco.com;x=a,b>, tel:+14085264000 ,',
    })
    expect(message.assertedIdentities).toEqual([
      '"Cullen, Jennings" <sip:fluffy@cisco.com;x=a,b>',
      'tel:+14085264000',
    ])
  })

  test('reasons of several headers and of comma lists come in order', () => {
    const message = read(
      'BYE sip:b SIP/2.0\r\nReason: SIP;cause=200;text="a, b",Q.850;cause=16\r\nreason: STIR;cause=436\r\n\r\n',
    )
    expect(message.reasons).toEqual(['SIP;cause=200;text="a, b"', 'Q.850;cause=16', 'STIR;cause=436'])
  })

  test('list headers that stand twice are one list; of others the first counts', () => {
    const message = read(
      'INVITE sip:b SIP/2.0\r\nSupported: timer\r\nSupported: 100rel\r\nRequire: a\r\nP-Early-Media: supported\r\nP-Early-Media: gated\r\nSession-ID: s1\r\nSession-ID: s2\r\nServer: one\r\nUser-Agent: two\r\n\r\n',
    )
    expect(message).toMatchObject({
      supported: 'timer, 100rel',
      require: 'a',
      earlyMedia: 'supported, gated',
      sessionId: 's1',
      userAgent: 'one',
    })
  })

  test('responses are read with any reason phrase, and none', () => {
    expect(read('SIP/2.0 487 Request Terminated\r\nCall-ID: x\r\n\r\n')).toMatchObject({
      statusCode: 487,
      reasonPhrase: 'Request Terminated',
      method: '',
    })
    expect(read('sip/2.0 200\r\nCall-ID: x\r\n\r\n')).toMatchObject({ statusCode: 200, reasonPhrase: '' })
  })

  test('the body begins behind the empty line and ends where Content-Length says', () => {
    const text = 'INVITE sip:b SIP/2.0\r\nContent-Length: 4\r\n\r\nbodyrest'
    expect(read(text)).toMatchObject({
      bodyOffset: text.indexOf('bodyrest'),
      bodyLength: 4,
      truncated: false,
    })
  })

  test('Content-Length beyond the bytes, or no empty line, say that the message was cut', () => {
    expect(invite({ 'Content-Length': '10' }, 'v=0')).toMatchObject({ truncated: true, bodyLength: 3 })
    expect(read('INVITE sip:b SIP/2.0\r\nCall-ID: x\r\nTo: <sip').truncated).toBe(true)
    expect(read('INVITE sip:b SIP/2.0\r\nCall-ID: x\r\nContent-Length: 0\r\n').truncated).toBe(false)
    expect(invite({ 'Content-Length': '99999999999999999999' }).contentLength).toBe(2 ** 31 - 1)
    expect(invite({ 'Content-Length': '0x10' }).contentLength).toBe(-1)
  })

  test('SDP is told by its type, in a multipart body by the type of a part, and without a type by v=0', () => {
    const sdp = (type: string | undefined, body: string) => invite({ 'Content-Type': type }, body).hasSdp
    expect(sdp('application/sdp', 'v=0\r\n')).toBe(true)
    expect(sdp('Application/SDP ; charset=x', 'v=0\r\n')).toBe(true)
    expect(sdp('application/sdpx', 'v=0\r\n')).toBe(false)
    expect(sdp('application/sdp', '')).toBe(false)
    expect(sdp(undefined, 'v=0\r\n')).toBe(true)
    expect(sdp('text/plain', 'v=0\r\n')).toBe(false)
    expect(
      sdp('multipart/mixed;boundary=b', '--b\r\ncontent-type: application/sdp\r\n\r\nv=0\r\n--b--'),
    ).toBe(true)
    expect(
      sdp('multipart/mixed;boundary=b', '--b\r\nContent-Type: application/isup\r\n\r\n\x01\x10\r\n--b--'),
    ).toBe(false)
  })

  test('bytes beyond ASCII are kept one char a byte', () => {
    const message = invite({ From: '"J\xfcrgen" <sip:a>;tag=\xff' })
    expect(message.fromTag).toBe('\xff')
    expect(readableText(message.from)).toBe('"J\xfcrgen" <sip:a>;tag=\xff')
  })

  test('every message of the Kamailio capture parses', () => {
    const reader = new Hep3StreamReader()
    const seen = { messages: 0, invites: 0, identities: 0 }
    reader.push(
      readFileSync(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url)),
      (bytes, start, end) => {
        const message = readSip((decodeHep3(bytes, start, end) as HepFrame).payload)
        expect(message.parseError).toBe('')
        expect(message.truncated).toBe(false)
        seen.messages++
        if (message.method === 'INVITE') seen.invites++
        seen.identities += message.identities.length
      },
    )
    expect(seen.messages).toBe(844)
    expect(seen.identities).toBe(seen.invites)
  })
})

test('sip › a response or an ACK without Via is read: the network mirrors such', () => {
  const headers = 'From: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 '
  expect(read(`SIP/2.0 487 Request Terminated\r\n${headers}INVITE\r\n\r\n`).parseError).toBe('')
  expect(read(`ACK sip:b SIP/2.0\r\n${headers}ACK\r\n\r\n`).parseError).toBe('')
  expect(read(`BYE sip:b SIP/2.0\r\n${headers}BYE\r\n\r\n`).parseError).toBe('no_via')
})

describe('sip parse errors', () => {
  const CASES: [reason: string, what: string, message: SipMessage][] = [
    ['not_a_start_line', 'an empty message', read('')],
    ['not_a_start_line', 'JSON', read('{"a": "b"}\r\nCall-ID: x\r\n\r\n')],
    ['not_a_start_line', 'HTTP', read('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['not_a_start_line', 'a request line of two words', read('INVITE SIP/2.0\r\nCall-ID: x\r\n\r\n')],
    ['not_a_start_line', 'a method that is no token', read('INV<ITE sip:b SIP/2.0\r\nCall-ID: x\r\n\r\n')],
    ['bad_version', 'SIP/3.0', read('INVITE sip:b SIP/3.0\r\nCall-ID: x\r\n\r\n')],
    ['bad_version', 'SIP/1.0 of a response', read('SIP/1.0 200 OK\r\nCall-ID: x\r\n\r\n')],
    ['bad_status_code', '99', read('SIP/2.0 099 x\r\nCall-ID: x\r\n\r\n')],
    ['bad_status_code', '700', read('SIP/2.0 700 x\r\nCall-ID: x\r\n\r\n')],
    ['bad_status_code', 'letters', read('SIP/2.0 2OO x\r\nCall-ID: x\r\n\r\n')],
    ['bad_status_code', 'none', read('SIP/2.0\r\nCall-ID: x\r\n\r\n')],
    ['no_headers', 'a start line alone', read('INVITE sip:bob SIP/2.0')],
    ['no_headers', 'lines without a colon', read('INVITE sip:bob SIP/2.0\r\nabc\r\n\r\nv:')],
    ['no_call_id', 'no Call-ID', invite({ 'Call-ID': undefined })],
    ['no_call_id', 'an empty Call-ID', invite({ 'Call-ID': '' })],
    ['no_cseq', 'no CSeq', invite({ CSeq: undefined })],
    ['no_cseq', 'a CSeq of 2^31', invite({ CSeq: '2147483648 INVITE' })],
    ['no_cseq', 'a CSeq without a method', invite({ CSeq: '1' })],
    ['no_cseq', 'a negative CSeq', invite({ CSeq: '-1 INVITE' })],
    ['cseq_mismatch', 'a CSeq of another method', invite({ CSeq: '1 BYE' })],
    ['cseq_mismatch', 'a CSeq method in other letters', invite({ CSeq: '1 invite' })],
    ['no_from', 'no From', invite({ From: undefined })],
    ['no_to', 'no To', invite({ To: undefined })],
    ['no_via', 'no Via', invite({ Via: undefined })],
    ['repeated_header', 'two Call-IDs', invite({ 'call-id': 'other' })],
    ['repeated_header', 'two CSeqs', invite({ cseq: '2 INVITE' })],
    ['repeated_header', 'two Froms', invite({ f: '<sip:x>;tag=y' })],
    ['repeated_header', 'two Tos', invite({ t: '<sip:x>' })],
    ['', 'a Call-ID that stands twice and is the same', invite({ i: BASE['Call-ID'] })],
    ['', 'the largest CSeq', invite({ CSeq: '2147483647 INVITE' })],
  ]
  test.each(CASES)("'%s' for %s", (reason, _what, message) => {
    expect(message.parseError).toBe(reason)
  })

  test('what is legible is read in spite of the error', () => {
    expect(read('nonsense\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\nTo: <sip:b>;tag=t\r\n\r\n')).toMatchObject({
      parseError: 'not_a_start_line',
      callId: 'x@y',
      cseqMethod: 'INVITE',
      toTag: 't',
    })
  })
})

describe('sip caps', () => {
  test('more header lines than the cap give too_many_headers; those before it and the body are read', () => {
    const filler = 'X-Filler: 1\r\n'.repeat(10_000)
    const message = read(
      `INVITE sip:b SIP/2.0\r\nCall-ID: x\r\n${filler}To: <sip:b>\r\nContent-Length: 3\r\n\r\nv=0`,
    )
    expect(message).toMatchObject({ parseError: 'too_many_headers', callId: 'x', to: '', bodyLength: 3 })
  })

  test('folded lines count as lines', () => {
    const message = read(
      `INVITE sip:b SIP/2.0\r\nContact: x\r\n${' ;y\r\n'.repeat(HEADER_LINES_MAX)}Call-ID: x\r\n\r\n`,
    )
    expect(message).toMatchObject({ parseError: 'too_many_headers', callId: '' })
  })

  test('a line longer than the cap gives line_too_long and is passed over', () => {
    const message = invite({ 'X-Long': 'x'.repeat(60_000), Supported: 'y' })
    expect(message).toMatchObject({ parseError: 'line_too_long', callId: BASE['Call-ID'], supported: 'y' })
    expect(invite({ Contact: 'x'.repeat(LINE_MAX_CHARS) })).toMatchObject({
      parseError: 'line_too_long',
      contact: '',
    })
  })

  test('a start line longer than the cap gives line_too_long, and the headers are read', () => {
    const message = read(`INVITE sip:${'x'.repeat(20_000)} SIP/2.0\r\nCall-ID: x\r\n\r\n`)
    expect(message).toMatchObject({ parseError: 'line_too_long', method: '', callId: 'x' })
  })

  test('lists are cut at their cap', () => {
    const message = invite({
      Reason: 'SIP;cause=1,'.repeat(1_000),
      'P-Asserted-Identity': 'tel:1,'.repeat(1_000),
    })
    expect([message.reasons.length, message.assertedIdentities.length]).toEqual([32, 32])
  })

  test('the bytes looked at grow with the message and not faster', () => {
    const bombs: ((size: number) => string)[] = [
      (size) => `INVITE sip:b SIP/2.0\r\nFrom: ${'"'.repeat(size)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nFrom: ${'<'.repeat(size)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nTo: <a>${';tag'.repeat(size / 4)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nTo: <a>${';x="'.repeat(size / 4)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nVia: ${';'.repeat(size)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nVia: ${'/'.repeat(size)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nVia: a/b/c h${';a= '.repeat(size / 4)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nVia: a/b/c h${';a="\\'.repeat(size / 5)}`,
      (size) => `INVITE sip:b SIP/2.0\r\nCSeq: ${' '.repeat(size)}x`,
      (size) => `INVITE${' '.repeat(size)}SIP/2.0\r\n`,
      (size) => `INVITE sip:b SIP/2.0\r\n${'a\r\n'.repeat(size / 3)}`,
      (size) => ' \r\n'.repeat(size / 3),
    ]
    for (const bomb of bombs) {
      const small = bytesLookedAt(bomb(4_000))
      const large = bytesLookedAt(bomb(16_000))
      expect(large, bomb(40)).toBeLessThanOrEqual(4.2 * small + 1_000)
      expect(large, bomb(40)).toBeLessThanOrEqual(8 * 16_100)
    }
  })

  /** How often the reader takes a byte of the message. Native scans for a line end are not seen: one a line. */
  function bytesLookedAt(text: string): number {
    const bytes = Buffer.from(text, 'latin1')
    let count = 0
    const counted = new Proxy(bytes, {
      get(target, key) {
        if (key === 'toString') return (encoding: BufferEncoding) => target.toString(encoding)
        count++
        return Reflect.get(target, key)
      },
    })
    readSip(counted)
    return count
  }
})

describe('readableText', () => {
  test('UTF-8 is decoded, other bytes are latin1', () => {
    expect(readableText(Buffer.from('Zoë 東京').toString('latin1'))).toBe('Zoë 東京')
    expect(readableText('caf\xe9')).toBe('café')
    expect(readableText('plain')).toBe('plain')
    // Decoded already: by its low bytes it would be another name.
    expect(readableText('Łlice')).toBe('Łlice')
  })

  test('control characters, escapes of a terminal and turners of direction become U+FFFD, a tab a space', () => {
    expect(readableText('a\r\nb\x1b[31m\x7f\tc')).toBe('a\ufffd\ufffdb\ufffd[31m\ufffd c')
    expect(readableText(Buffer.from('x\u202ey\u2066z\u2028').toString('latin1'))).toBe(
      'x\ufffdy\ufffdz\ufffd',
    )
  })

  test('a detached text is the same text', () => {
    const property = fc.property(
      fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) }),
      (text) => {
        expect(detached(text)).toBe(text)
        readableText(text)
      },
    )
    fc.assert(property, { numRuns: 200 })
  })
})
