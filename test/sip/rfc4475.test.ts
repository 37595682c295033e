/**
 * The 49 messages of RFC 4475, by the classes of that RFC, and what an observer reads from each. Trunkscope answers
 * nobody: a message a server must refuse with 400 is still an attempt that somebody made, so it is read whenever it
 * can be read one way only. A `parseError` is given where the fold would count something else than what was sent.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { SipMessage } from '../../schemas/sip-message.js'
import { readableText, readSip } from '../../sip/sip-message.js'
import { readNameAddr, readUri } from '../../sip/uri.js'

const FOLDER = new URL('../fixtures/rfc4475/', import.meta.url)

function message(name: string): SipMessage {
  return readSip(readFileSync(new URL(`${name}.dat`, FOLDER)))
}

/** Section, file, what is true, what is read. Fields not named in the last column are not judged, but for the three of INTACT. */
type Expectation = [section: string, name: string, sentence: string, read: Partial<SipMessage>]

/** Holds for every message below unless its own row says otherwise. */
const INTACT: Partial<SipMessage> = { parseError: '', truncated: false, statusCode: 0 }

const INVITE = { method: 'INVITE', cseqMethod: 'INVITE', hasSdp: true }
const OPTIONS = { method: 'OPTIONS', cseqMethod: 'OPTIONS', contentLength: 0, bodyLength: 0 }
const REGISTER = { method: 'REGISTER', cseqMethod: 'REGISTER', contentLength: 0, bodyLength: 0 }

const VALID: Expectation[] = [
  [
    '3.1.1.1',
    'wsinv',
    'a short tortuous INVITE parses',
    {
      ...INVITE,
      requestUri: 'sip:vivekg@chair-dnrc.example.com;unknownparam',
      callId: 'wsinv.ndaksdj@192.0.2.1',
      cseqNumber: 9,
      toTag: '1918181833n',
      fromTag: '98asjd8',
      branch: '390skdjuw',
      viaHost: '192.0.2.2',
      from: '"J Rosenberg \\\\\\""       <sip:jdrosen@example.com> ; tag = 98asjd8',
      contentLength: 150,
      bodyLength: 150,
    },
  ],
  [
    '3.1.1.2',
    'intmeth',
    'a method, a URI and tags of every legal character, and escaped NUL, parse',
    {
      method: "!interesting-Method0123456789_*+`.%indeed'~",
      cseqMethod: "!interesting-Method0123456789_*+`.%indeed'~",
      cseqNumber: 139122385,
      callId: 'intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{',
      fromTag: "_token~1'+`*%!-.",
      toTag: '',
      branch: "z9hG4bK-.!%66*_+`'~",
    },
  ],
  [
    '3.1.1.3',
    'esc01',
    'escapes in URIs are kept as they are, and a folded Contact is joined',
    {
      ...INVITE,
      requestUri: 'sip:sips%3Auser%40example.com@example.net',
      to: 'sip:%75se%72@example.com',
      contact: '<sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>',
      callId: 'esc01.239409asdfakjkn23onasd0-3234',
      cseqNumber: 234234,
    },
  ],
  [
    '3.1.1.4',
    'escnull',
    'an escaped NUL in a URI is no end of text',
    { ...REGISTER, cseqNumber: 14398234, contact: '<sip:%00@host5.example.com>' },
  ],
  [
    '3.1.1.5',
    'esc02',
    'a percent sign that escapes nothing stays, and C%6Fntact is not Contact',
    {
      method: 'RE%47IST%45R',
      cseqMethod: 'RE%47IST%45R',
      cseqNumber: 29344,
      to: '"%Z%45" <sip:resource@example.com>',
      contact: '<sip:alias1@host1.example.com>',
      branch: 'z9hG4bK209%fzsnel234',
    },
  ],
  [
    '3.1.1.6',
    'lwsdisp',
    'no white space between display name and < is needed',
    { ...OPTIONS, fromTag: '323', cseqNumber: 60 },
  ],
  [
    '3.1.1.7',
    'longreq',
    'long values are read in full',
    { ...INVITE, cseqNumber: 3882340, viaHost: 'sip33.example.com', bodyLength: 150 },
  ],
  [
    '3.1.1.8',
    'dblreq',
    'what follows the first message of a datagram is not read',
    {
      ...REGISTER,
      callId: 'dblreq.0ha0isndaksdj99sdfafnl3lk233412',
      cseqNumber: 8,
      branch: 'z9hG4bKkdjuw23492',
      hasSdp: false,
    },
  ],
  [
    '3.1.1.9',
    'semiuri',
    'a semicolon in the user part is part of the Request-URI',
    { ...OPTIONS, requestUri: 'sip:user;par=u%40example.net@example.com' },
  ],
  [
    '3.1.1.10',
    'transports',
    'of five Via headers, of unknown transports too, the first is the top',
    { ...OPTIONS, viaHost: 't1.example.com', branch: 'z9hG4bKkdjuw' },
  ],
  [
    '3.1.1.11',
    'mpart01',
    'a multipart MESSAGE without SDP has no SDP',
    {
      method: 'MESSAGE',
      cseqMethod: 'MESSAGE',
      contentLength: 553,
      bodyLength: 553,
      hasSdp: false,
      viaPort: 5070,
    },
  ],
  [
    '3.1.1.12',
    'unreason',
    'a reason phrase in UTF-8 is kept',
    { statusCode: 200, cseqMethod: 'INVITE', hasSdp: true, fromTag: '11141343', toTag: '2229' },
  ],
  [
    '3.1.1.13',
    'noreason',
    'an empty reason phrase is empty',
    { statusCode: 100, reasonPhrase: '', cseqMethod: 'INVITE', toTag: '902jndnke3' },
  ],
]

const INVALID: Expectation[] = [
  [
    '3.1.2.1',
    'badinv01',
    'extraneous separators in Via and Contact are passed over',
    { ...INVITE, viaHost: '192.0.2.15', branch: '', contact: '"Joe" <sip:joe@example.org>;;;;' },
  ],
  [
    '3.1.2.2',
    'clerr',
    'a Content-Length beyond the message says that it was cut',
    { ...INVITE, contentLength: 9999, bodyLength: 154, truncated: true },
  ],
  [
    '3.1.2.3',
    'ncl',
    'a negative Content-Length is none',
    { ...INVITE, contentLength: -1, bodyLength: 152, cseqNumber: 0 },
  ],
  [
    '3.1.2.4',
    'scalar02',
    'a CSeq of 2^65 gives no_cseq, and the rest is read',
    {
      parseError: 'no_cseq',
      method: 'REGISTER',
      cseqNumber: -1,
      cseqMethod: 'REGISTER',
      callId: 'scalar02.23o0pd9vanlq3wnrlnewofjas9ui32',
    },
  ],
  [
    '3.1.2.5',
    'scalarlg',
    'a CSeq of 9.3e21 in a response gives no_cseq, and the rest is read',
    {
      parseError: 'no_cseq',
      statusCode: 503,
      cseqNumber: -1,
      viaReceived: '192.0.2.129',
      callId: 'scalarlg.noase0of0234hn2qofoaf0232aewf2394r',
    },
  ],
  [
    '3.1.2.6',
    'quotbal',
    'an unterminated quoted string in To is an ordinary character',
    { ...INVITE, to: '"Mr. J. User <sip:j.user@example.com>', toTag: '' },
  ],
  [
    '3.1.2.7',
    'ltgtruri',
    'a Request-URI in angle brackets is read with them',
    { ...INVITE, requestUri: '<sip:user@example.com>', branch: '' },
  ],
  [
    '3.1.2.8',
    'lwsruri',
    'white space in the Request-URI is part of it',
    { ...INVITE, requestUri: 'sip:user@example.com; lr', cseqNumber: 2130706432, toTag: '3xfe-9921883-z9f' },
  ],
  [
    '3.1.2.9',
    'lwsstart',
    'several spaces between the parts of the request line are one',
    { ...INVITE, requestUri: 'sip:user@example.com' },
  ],
  [
    '3.1.2.10',
    'trws',
    'spaces at the end of the request line are passed over',
    { ...OPTIONS, requestUri: 'sip:remote-target@example.com' },
  ],
  [
    '3.1.2.11',
    'escruri',
    'escaped headers in the Request-URI stay in it',
    { ...INVITE, requestUri: 'sip:user@example.com?Route=%3Csip:example.com%3E' },
  ],
  [
    '3.1.2.12',
    'baddate',
    'an invalid time zone in Date is nobody’s concern here',
    { ...INVITE, cseqNumber: 1392934 },
  ],
  [
    '3.1.2.13',
    'regbadct',
    'a Contact that should stand in angle brackets is kept as it is',
    { ...REGISTER, contact: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E' },
  ],
  [
    '3.1.2.14',
    'badaspec',
    'spaces within an addr-spec are kept in To',
    { ...OPTIONS, to: '"Watson, Thomas" < sip:t.watson@example.org >', fromTag: '433423' },
  ],
  [
    '3.1.2.15',
    'baddn',
    'a comma in an unquoted display name does not split From',
    { ...OPTIONS, from: 'Bell, Alexander <sip:a.g.bell@example.com>;tag=43', fromTag: '43' },
  ],
  [
    '3.1.2.16',
    'badvers',
    'SIP/7.0 gives bad_version, and the rest is read',
    { ...OPTIONS, parseError: 'bad_version', callId: 'badvers.31417@c.example.com' },
  ],
  [
    '3.1.2.17',
    'mismatch01',
    'a CSeq method that is not the method gives cseq_mismatch',
    {
      parseError: 'cseq_mismatch',
      method: 'OPTIONS',
      cseqMethod: 'INVITE',
      callId: 'mismatch01.dj0234sxdfl3',
    },
  ],
  [
    '3.1.2.18',
    'mismatch02',
    'so it does for an unknown method',
    {
      parseError: 'cseq_mismatch',
      method: 'NEWMETHOD',
      cseqMethod: 'INVITE',
      callId: 'mismatch02.dj0234sxdfl3',
    },
  ],
  [
    '3.1.2.19',
    'bigcode',
    'a status code of 4294967301 gives bad_status_code, and the rest is read',
    {
      parseError: 'bad_status_code',
      statusCode: 0,
      method: '',
      cseqMethod: 'INVITE',
      callId: 'bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i',
    },
  ],
]

const TRANSACTION: Expectation[] = [
  [
    '3.2.1',
    'badbranch',
    'a branch that is nothing but the magic cookie is read',
    { ...OPTIONS, branch: 'z9hG4bK' },
  ],
]

const APPLICATION: Expectation[] = [
  [
    '3.3.1',
    'insuf',
    'without Call-ID, From and To the first of them is named',
    { ...INVITE, parseError: 'no_call_id', callId: '', from: '', to: '', branch: 'z9hG4bKkdj.insuf' },
  ],
  [
    '3.3.2',
    'unkscm',
    'a Request-URI of an unknown scheme is read',
    { ...OPTIONS, requestUri: 'nobodyKnowsThisScheme:totallyopaquecontent' },
  ],
  [
    '3.3.3',
    'novelsc',
    'a Request-URI of an atypical scheme is read',
    { ...OPTIONS, requestUri: 'soap.beep://192.0.2.103:3002' },
  ],
  [
    '3.3.4',
    'unksm2',
    'unknown schemes in To, From and Contact are read',
    { ...REGISTER, to: 'isbn:2983792873', fromTag: '3234233', contact: '<name:John_Smith>' },
  ],
  [
    '3.3.5',
    'bext01',
    'Require is kept whole, Proxy-Require is not Require',
    { ...OPTIONS, require: 'nothingSupportsThis, nothingSupportsThisEither' },
  ],
  [
    '3.3.6',
    'invut',
    'a body of an unknown type is not SDP',
    { method: 'INVITE', hasSdp: false, contentType: 'application/unknownformat', bodyLength: 40 },
  ],
  ['3.3.7', 'regaut01', 'an unknown authorization scheme is nobody’s concern here', REGISTER],
  [
    '3.3.8',
    'multi01',
    'single-value headers that stand twice give repeated_header, and the first counts',
    {
      ...INVITE,
      parseError: 'repeated_header',
      callId: 'multi01.98asdh@192.0.2.1',
      cseqNumber: 5,
      fromTag: '3413415',
      to: 'sip:user@example.com',
      contact: '<sip:caller@host25.example.net>',
    },
  ],
  [
    '3.3.9',
    'mcl01',
    'of two Content-Length the first counts',
    { method: 'OPTIONS', contentLength: 13, bodyLength: 13 },
  ],
  [
    '3.3.10',
    'bcast',
    'a broadcast address in the second Via changes nothing',
    { statusCode: 200, reasonPhrase: 'OK', viaHost: '192.0.2.198', hasSdp: true, toTag: '2229' },
  ],
  ['3.3.11', 'zeromf', 'Max-Forwards of zero changes nothing', { ...OPTIONS, cseqNumber: 39234321 }],
  [
    '3.3.12',
    'cparam01',
    'a parameter of Contact stays in its value',
    { ...REGISTER, contact: 'sip:+19725552222@gw1.example.net;unknownparam' },
  ],
  [
    '3.3.13',
    'cparam02',
    'a URI parameter of Contact stays in its value',
    { ...REGISTER, contact: '<sip:+19725552222@gw1.example.net;unknownparam>' },
  ],
  [
    '3.3.14',
    'regescrt',
    'a URI header of Contact stays in its value',
    { ...REGISTER, contact: '<sip:user@example.com?Route=%3Csip:sip.example.com%3E>' },
  ],
  [
    '3.3.15',
    'sdp01',
    'an Accept nobody can satisfy changes nothing',
    { ...INVITE, cseqNumber: 8, bodyLength: 150 },
  ],
]

const BACKWARD: Expectation[] = [
  [
    '3.4.1',
    'inv2543',
    'an INVITE of RFC 2543 without branch, tag and Content-Length is read',
    {
      ...INVITE,
      branch: '',
      fromTag: '',
      toTag: '',
      contentLength: -1,
      bodyLength: 105,
      to: 'sip:+16505552222@ss1.example.net;user=phone',
    },
  ],
]

const ALL = [...VALID, ...INVALID, ...TRANSACTION, ...APPLICATION, ...BACKWARD]

describe('sip', () => {
  for (const [section, name, sentence, read] of ALL) {
    test(`RFC 4475 ${section} ${name}: ${sentence}`, () => {
      expect(message(name)).toMatchObject({ ...INTACT, ...read })
    })
  }

  test('RFC 4475: every message of the archive has its expectation, and none has two', () => {
    const names = readdirSync(FOLDER).map((file) => file.replace('.dat', ''))
    expect(names).toHaveLength(49)
    expect(ALL.map(([, name]) => name).sort()).toEqual(names.sort())
  })

  test('RFC 4475: every Call-ID is legible but for the one that is missing', () => {
    for (const [, name] of ALL) {
      if (name !== 'insuf') expect(message(name).callId, name).not.toBe('')
    }
  })

  test('RFC 4475: no message with a valid or application class structure loses its truth to CR LF turned into LF', () => {
    for (const [, name] of ALL) {
      const bytes = readFileSync(new URL(`${name}.dat`, FOLDER))
      const unix = readSip(Buffer.from(bytes.toString('latin1').replace(/\r\n/g, '\n'), 'latin1'))
      const { bodyOffset: _o, bodyLength: _l, truncated: _t, ...fields } = readSip(bytes)
      expect(unix, name).toMatchObject(fields)
    }
  })

  test('RFC 4475 3.1.1.2, 3.1.1.4: escaped characters of the user part are decoded byte by byte', () => {
    const { user, userParameters, host } = readUri(message('intmeth').requestUri)
    expect(user).toBe("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/")
    expect([...userParameters.keys()]).toEqual(['*'])
    expect(host).toBe('example.com')
    expect(readUri(readNameAddr(message('escnull').to).uri).user).toBe('null-\0-null')
  })

  test('RFC 4475 3.1.1.9: the parameter of the user part is the user’s', () => {
    const uri = readUri(message('semiuri').requestUri)
    expect(uri).toMatchObject({ user: 'user', host: 'example.com' })
    expect([...uri.userParameters]).toEqual([['par', 'u@example.net']])
  })

  test('RFC 4475 3.1.1.12: the reason phrase is shown as UTF-8', () => {
    expect(readableText(message('unreason').reasonPhrase)).toBe(
      '= 2**3 * 5**2 но сто девяносто девять - простое',
    )
  })
})
