/**
 * A generator of broken SIP after the element classes of PROTOS c07-sip: overflow lengths of 2^n and one beside,
 * format strings, NUL and UTF-8, IPv4 and IPv6 texts, missing line ends, repeated headers, negative and huge integers.
 * A seed gives one message, so a failure names what to look at again.
 */
import { describe, expect, test } from 'vitest'
import { SIP_REASONS } from '../../schemas/reasons.js'
import { attestationOf, readIdentity } from '../../sip/passport.js'
import { readReason } from '../../sip/reason.js'
import { redactSip } from '../../sip/redact.js'
import { sdpHash } from '../../sip/sdp.js'
import { LIST_VALUES_MAX } from '../../sip/sip-headers.js'
import { readableText, readSip } from '../../sip/sip-message.js'
import { readNameAddr, readUri } from '../../sip/uri.js'

const SEEDS = 10_000

type Random = (below: number) => number

/** mulberry32 */
function randomOf(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const FIXED = [
  '',
  ' ',
  '\0',
  'a\0b',
  '%s%s%s%n',
  '%x%d%.1000d',
  '%00',
  '%',
  '\xc0\xaf',
  '\xff\xfe',
  '\xf0\x9f\x93\x9e',
  '-1',
  '0',
  '2147483647',
  '2147483648',
  '4294967296',
  '-2147483649',
  '18446744073709551616',
  '99999999999999999999999999999999',
  '1e9',
  '0x7f',
  '1.5',
  '127.0.0.1',
  '256.256.256.256',
  '1.2.3.4.5',
  '::1',
  '[::1]',
  '[2001:db8::1]:5060',
  '[::ffff:1.2.3.4',
  '"',
  '"\\',
  '"a;b,c<d>"',
  '<',
  '>',
  '<>',
  ';',
  ';;;,,,',
  ';tag=',
  ';tag="x',
  ',',
  '=',
  '/',
  '@',
  ':',
  'sip:',
  'tel:;',
  '..x;info=<',
  'eyJ.eyJ.x;info=',
  '\r',
  '\n',
  '\r\n',
  '\r\n ',
  '\r\n\r\n',
]

function element(random: Random): string {
  const kind = random(10)
  if (kind === 0) return 'aA%s\xe9;,"<0\0'[random(11)]!.repeat(2 ** random(15) + random(3) - 1)
  if (kind === 1) return ';a=b,'.repeat(random(1_000))
  return FIXED[random(FIXED.length)]!
}

const START_LINES = [
  'INVITE sip:b@h SIP/2.0',
  'SIP/2.0 180 Ringing',
  'MESSAGE sip:b SIP/2.0',
  'ACK sip:b SIP/2.0',
]
const HEADERS: [name: string, value: string][] = [
  ['Via', 'SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=192.0.2.2'],
  ['From', '"A" <sip:a@h>;tag=f'],
  ['To', '<sip:b@h>;tag=t'],
  ['Call-ID', 'c@h'],
  ['CSeq', '1 INVITE'],
  ['Contact', '<sip:a@h>'],
  ['Content-Type', 'application/sdp'],
  ['Content-Type', 'multipart/mixed;boundary=b'],
  ['Content-Length', '60'],
  ['P-Asserted-Identity', '"A" <sip:+1@h>, tel:+1'],
  ['Identity', 'eyJwcHQiOiJzaGFrZW4ifQ.eyJhdHRlc3QiOiJBIn0.xx;info=<https://h/c>;ppt=shaken'],
  ['Reason', 'Q.850;cause=16;text="x"'],
  ['Authorization', 'Digest username="u"'],
  ['Supported', '100rel'],
  ['l', '3'],
  ['i', 'c@h'],
  ['y', '..x;info=<x>'],
]
const BODIES = [
  '',
  'v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n',
  '--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--',
]

/** Puts an element over, before or behind a part of the text. */
function broken(text: string, random: Random): string {
  const at = random(text.length + 1)
  const kind = random(4)
  if (kind === 0) return element(random)
  if (kind === 1) return text.slice(0, at) + element(random)
  if (kind === 2) return text.slice(0, at) + element(random) + text.slice(at)
  return text.slice(0, at) + element(random) + text.slice(at + random(8))
}

function messageOf(seed: number): Buffer {
  const random = randomOf(seed)
  const lineEnd = random(20) === 0 ? ['\r', ''][random(2)]! : ['\r\n', '\n'][random(2)]!
  let text = START_LINES[random(START_LINES.length)]!
  if (random(8) === 0) text = broken(text, random)
  const headers = 5 + random(12)
  for (let index = 0; index < headers; index++) {
    let [name, value] = HEADERS[index < 5 && random(30) > 0 ? index : random(HEADERS.length)]!
    if (random(20) === 0) name = broken(name, random)
    if (random(8) === 0) value = broken(value, random)
    const colon = [': ', ':', ' : ', ''][random(20) === 0 ? random(4) : 0]!
    const line = (random(30) === 0 ? '\r' : lineEnd || '\r\n') + name + colon + value
    text += random(50) === 0 ? line.repeat(random(400)) : line
    if (text.length > 70_000) break
  }
  text += lineEnd + (random(8) === 0 ? '' : lineEnd) + BODIES[random(BODIES.length)]!
  if (random(6) === 0) text = broken(text, random)
  return Buffer.from(text.slice(0, 65_500), 'latin1')
}

/** Everything the collector does with a message; throws when something is out of its bounds. */
function use(bytes: Buffer): string {
  const message = readSip(bytes)
  const { bodyOffset, bodyLength, statusCode, cseqNumber, contentLength } = message
  if (message.parseError !== '' && !(message.parseError in SIP_REASONS)) throw new Error(message.parseError)
  if (bodyOffset < 0 || bodyLength < 0 || bodyOffset + bodyLength > bytes.length) throw new Error('body')
  if (statusCode !== 0 && (statusCode < 100 || statusCode > 699)) throw new Error('status code')
  if (cseqNumber < -1 || cseqNumber > 2 ** 31 - 1) throw new Error('cseq')
  if (contentLength < -1 || contentLength > 2 ** 31 - 1) throw new Error('content length')
  if (message.viaPort < 0 || message.viaPort > 65_535) throw new Error('via port')
  if (message.parseError === '') {
    if (message.callId === '' || message.from === '' || message.to === '' || cseqNumber < 0)
      throw new Error('a hole')
    if (message.method === '' && statusCode === 0) throw new Error('no start line')
  }
  for (const list of [message.reasons, message.identities, message.assertedIdentities]) {
    if (list.length > LIST_VALUES_MAX) throw new Error('list')
  }
  for (const value of [message.from, message.to, message.contact, ...message.assertedIdentities]) {
    const { uri } = readNameAddr(value)
    const { port } = readUri(uri)
    if (port < 0 || port > 65_535) throw new Error('port')
    readableText(value)
  }
  readUri(message.requestUri)
  for (const value of message.reasons) readReason(value)
  attestationOf(message.identities.map(readIdentity))
  sdpHash(bytes, message)
  if (redactSip(bytes, message).length !== bytes.length) throw new Error('redacted to another length')
  return message.parseError
}

describe('sip', () => {
  test('any broken message of the generator gives a message or a reason (fuzz)', () => {
    const seen = new Map<string, number>()
    for (let seed = 1; seed <= SEEDS; seed++) {
      try {
        const reason = use(messageOf(seed))
        seen.set(reason, (seen.get(reason) ?? 0) + 1)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
    // The generator reaches every reason, and leaves enough messages whole to be worth something.
    expect([...seen.keys()].sort()).toEqual(['', ...Object.keys(SIP_REASONS)].sort())
    expect(seen.get('')).toBeGreaterThan(SEEDS / 10)
  })

  test('any bytes give a message or a reason (fuzz)', () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const random = randomOf(seed)
      use(Buffer.from(Array.from({ length: random(300) }, () => random(256))))
    }
  })
})
