import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HepFrame } from '../../schemas/hep-frame.js'
import { decodeHep3 } from '../../sip/hep3.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'
import { redactSip } from '../../sip/redact.js'
import { readSip } from '../../sip/sip-message.js'

const HEADERS =
  'Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n'

function redacted(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const output = redactSip(bytes, readSip(bytes))
  expect(output.length).toBe(bytes.length)
  expect(bytes.toString('latin1')).toBe(text)
  return output.toString('latin1')
}

describe('redact', () => {
  test('a message without secrets is the same Buffer', () => {
    const bytes = Buffer.from(`INVITE sip:b SIP/2.0\r\n${HEADERS}\r\nv=0\r\na=rtpmap:0 PCMU/8000\r\n`)
    expect(redactSip(bytes, readSip(bytes))).toBe(bytes)
  })

  test('nothing in the Kamailio capture is copied', () => {
    const capture = readFileSync(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url))
    new Hep3StreamReader().push(capture, (bytes, start, end) => {
      const { payload } = decodeHep3(bytes, start, end) as HepFrame
      expect(redactSip(payload, readSip(payload))).toBe(payload)
    })
  })

  test('the values of Authorization and Proxy-Authorization are blanked, folded lines too', () => {
    const text = `INVITE sip:b SIP/2.0\r\nAUTHORIZATION : Digest username="u",\r\n response="r"\r\n${HEADERS}proxy-authorization:Digest secret\r\n\r\nv=0`
    const output = redacted(text)
    expect(output).not.toMatch(/Digest|username|response|secret/)
    expect(output).toContain('AUTHORIZATION : ')
    expect(output).toContain('\r\n ****')
    const { bodyOffset, callId, parseError } = readSip(Buffer.from(output, 'latin1'))
    expect({ bodyOffset, callId, parseError }).toEqual({
      bodyOffset: text.indexOf('v=0'),
      callId: 'x',
      parseError: '',
    })
  })

  test('challenges and headers of similar names stay', () => {
    const text = `SIP/2.0 401 Unauthorized\r\n${HEADERS}WWW-Authenticate: Digest nonce="n"\r\nX-Authorization: x\r\nAuthorizations: y\r\nAuthentication-Info: z\r\n\r\n`
    expect(redacted(text)).toBe(text)
  })

  test('the last header without a line end is blanked', () => {
    expect(redacted(`INVITE sip:b SIP/2.0\nAuthorization: secret`)).toMatch(
      /^INVITE sip:b SIP\/2\.0\nAuthorization: \**$/,
    )
  })

  test('SDP keys are blanked; the suite of a=crypto and all other lines stay', () => {
    const sdp = [
      'v=0',
      'k=base64:c2VjcmV0',
      'a=key-mgmt:mikey AQAFgM',
      'm=audio 1 RTP/SAVP 0',
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4',
      'a=crypto:2 broken',
      'a=ice-ufrag:8hhY',
      'a=ice-pwd:asd88fgpdd777uzjYhagZg',
      '',
    ].join('\r\n')
    const output = redacted(`INVITE sip:b SIP/2.0\r\n${HEADERS}Content-Type: application/sdp\r\n\r\n${sdp}`)
    expect(output).not.toMatch(/c2VjcmV0|AQAFgM|d0Rmdm|asd88|broken|2\^20/)
    expect(output).toContain('a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***')
    expect(output).toContain('m=audio 1 RTP/SAVP 0\r\n')
    expect(output).toContain('a=ice-ufrag:8hhY\r\n')
  })

  test('the body of a MESSAGE is blanked, and of its response; the headers stay', () => {
    const headers = HEADERS.replace('INVITE', 'MESSAGE')
    for (const start of ['MESSAGE sip:b SIP/2.0', 'SIP/2.0 200 OK']) {
      const text = `${start}\r\n${headers}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\nand more`
      const output = redacted(text)
      expect(output).toBe(text.replace('hello\r\nand more', '*****\r\n********'))
    }
  })

  test('the body behind a start line nobody can read is blanked, unless it is SDP', () => {
    expect(redacted('MESS AGE sip:b SIP/2.0 x\r\nCall-ID: x\r\n\r\nhello')).toMatch(/\*{5}$/)
    expect(redacted('MESSAGE sip:b\r\nCall-ID: x\r\n\r\nhello')).toMatch(/\*{5}$/)
    expect(redacted('nonsense\r\nContent-Type: application/sdp\r\n\r\nv=0')).toMatch(/v=0$/)
  })

  test('a second request in the same bytes is looked at, too', () => {
    const output = redacted(
      `OPTIONS sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\nINVITE sip:b SIP/2.0\r\nAuthorization: secret\r\n\r\n`,
    )
    expect(output).not.toContain('secret')
  })

  test('what the reader gives is the same before and after, but for what was blanked', () => {
    const line = fc.constantFrom(
      'Authorization: a b',
      'proxy-AUTHORIZATION\t: "x"',
      ' folded secret',
      'k=clear:abc',
      'a=crypto:1 X inline:abc',
      'a=ice-pwd:abc',
      'Subject: hello',
      '',
      'v=0',
      'Contact: <sip:c>',
      'authorization',
      'a=sendrecv',
    )
    const property = fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.constantFrom('\r\n', '\n'),
      (lines, lineEnd) => {
        const text = `INVITE sip:b SIP/2.0\r\n${HEADERS}${lines.join(lineEnd)}`
        const output = redacted(text)
        expect(output).not.toMatch(/inline:abc|pwd:abc|clear:abc|: a b|: "x"/)
        const { contact: _, ...before } = readSip(Buffer.from(text, 'latin1'))
        expect(readSip(Buffer.from(output, 'latin1'))).toMatchObject(before)
        expect(redacted(output)).toBe(output)
      },
    )
    fc.assert(property, { numRuns: 2_000 })
  })

  test('any bytes are redacted without a throw', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const message = Buffer.from(bytes)
      expect(redactSip(message, readSip(message))).toHaveLength(bytes.length)
    })
    fc.assert(property, { numRuns: 1_000 })
  })
})
