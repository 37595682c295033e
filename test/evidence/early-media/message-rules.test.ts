import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Captured, lastTryOf } from '../../../evidence/early-media/last-try.js'
import { messageAnomalies } from '../../../evidence/early-media/message-rules.js'
import { configSchema } from '../../../schemas/config.js'
import { NOON_US } from '../../api/support.js'
import { RACK, RELIABLE, request, response, type Sdp, sdpOf, TRIED } from './messages.js'

const { thresholds } = configSchema.parse({})
function codesOf(messages: readonly Captured[]): string[] {
  const seen = lastTryOf(TRIED, messages)
  return seen === undefined
    ? ['no try']
    : messageAnomalies(seen, thresholds).map(({ code, severity }) => `${code} ${severity}`)
}

const invite = (headers: string[] = []) => request(0, 'INVITE', { headers })
const changed = (before: Sdp, after: Sdp, headers: string[] = []) => [
  invite(),
  response(1, 183, { sdp: before, headers }),
  ...(headers.length === 0 ? [] : [request(1.1, 'PRACK', { tag: 'a', headers: RACK(1), cseq: '2 PRACK' })]),
  response(5, 200, { sdp: after }),
]
const pem = (value: string) => [`P-Early-Media: ${value}`]
const SUPPORTED = ['Supported: timer, 100rel']
const PRACK = (second: number, rseq = 1, cseq = 1) =>
  request(second, 'PRACK', { tag: 'a', headers: RACK(rseq, cseq), cseq: '2 PRACK' })

describe('suspicions from the messages', () => {
  test.each<[string, Captured[], string[]]>([
    // EM_SDP_CHANGED
    ['the same SDP again', changed({}, {}), []],
    ['another version in o= is no change', changed({}, { version: 2 }), []],
    [
      'another port after a reliable 18x',
      changed({}, { port: 20_002 }, RELIABLE(1)),
      ['EM_SDP_CHANGED high'],
    ],
    ['another port after an unreliable 18x', changed({}, { port: 20_002 }), ['EM_SDP_CHANGED info']],
    ['another codec', changed({}, { codecs: '8' }), ['EM_SDP_CHANGED info']],
    ['another direction', changed({ direction: 'sendonly' }, {}), ['EM_SDP_CHANGED info']],
    ['another address in the same /24', changed({}, { address: '198.51.100.41' }), ['EM_SDP_CHANGED info']],
    ['a stream more', changed({}, { more: 'm=video 30000 RTP/AVP 31\r\n' }), ['EM_SDP_CHANGED info']],
    [
      'the last 18x counts, not an earlier one',
      [
        invite(),
        response(1, 183, { sdp: { port: 9_000 } }),
        response(2, 183, { sdp: {} }),
        response(5, 200, { sdp: {} }),
      ],
      [],
    ],
    [
      'an 18x of another To tag is not compared',
      [
        invite(),
        response(1, 183, { sdp: { port: 9_000 }, tag: 'b' }),
        response(2, 180),
        response(5, 200, { sdp: {} }),
      ],
      ['EM_MULTI_TAG info'],
    ],
    ['a 200 without SDP changes nothing', [invite(), response(1, 183, { sdp: {} }), response(5, 200)], []],
    [
      'half an SDP, cut on its way, is none',
      [
        invite(),
        response(1, 183, { sdp: {} }),
        {
          ...response(5, 200, { sdp: { port: 9_000 } }),
          bytes: response(5, 200, { sdp: { port: 9_000 } }).bytes.subarray(0, -12),
        },
      ],
      [],
    ],
    // EM_ORIGIN_JUMP
    [
      'media in another /24',
      changed({}, { address: '203.0.113.40' }),
      ['EM_SDP_CHANGED info', 'EM_ORIGIN_JUMP warn'],
    ],
    ['the last address of the same /24', changed({}, { address: '198.51.100.255' }), ['EM_SDP_CHANGED info']],
    [
      'the first address of the next /24',
      changed({ address: '198.51.100.255' }, { address: '198.51.101.0' }),
      ['EM_SDP_CHANGED info', 'EM_ORIGIN_JUMP warn'],
    ],
    ['on hold is nowhere', changed({}, { address: '0.0.0.0' }), ['EM_SDP_CHANGED info']],
    ['a name is in no network', changed({}, { address: 'media.example.com' }), ['EM_SDP_CHANGED info']],
    [
      'IPv6: another /48',
      changed({ address: '2001:db8:1::1' }, { address: '2001:db8:2::1' }),
      ['EM_SDP_CHANGED info', 'EM_ORIGIN_JUMP warn'],
    ],
    [
      'IPv6: the same /48',
      changed({ address: '2001:db8:1::1' }, { address: '2001:db8:1:9::1' }),
      ['EM_SDP_CHANGED info'],
    ],
    // EM_MULTI_TAG, EM_NEW_TAG_ANSWER
    ['one To tag', [invite(), response(1, 180), response(2, 183), response(5, 200)], []],
    [
      'two To tags',
      [invite(), response(1, 180), response(2, 180, { tag: 'b' }), response(5, 200)],
      ['EM_MULTI_TAG info'],
    ],
    [
      'two tries have a tag each',
      [
        invite(),
        response(1, 180, { tag: 'x' }),
        request(3, 'INVITE', { cseq: '2 INVITE', branch: 'z9hG4bK2' }),
        response(4, 180, { tag: 'y', cseq: '2 INVITE', branch: 'z9hG4bK2' }),
      ],
      [],
    ],
    [
      'the one who answers has not rung',
      [invite(), response(1, 180), response(5, 200, { tag: 'b' })],
      ['EM_NEW_TAG_ANSWER warn'],
    ],
    ['nobody rang', [invite(), response(5, 200, { tag: 'b' })], []],
    // EM_NO_PEM
    [
      'SDP without P-Early-Media',
      [invite(pem('supported')), response(1, 183, { sdp: {} })],
      ['EM_NO_PEM info'],
    ],
    ['SDP with it', [invite(pem('supported')), response(1, 183, { sdp: {}, headers: pem('sendrecv') })], []],
    ['not asked for', [invite(), response(1, 183, { sdp: {} })], []],
    ['without SDP there is nothing to authorize', [invite(pem('supported')), response(1, 180)], []],
    // EM_PEM_INACTIVE
    [
      'inactive and sendrecv',
      [invite(), response(1, 183, { sdp: {}, headers: pem('inactive') })],
      ['EM_PEM_INACTIVE info'],
    ],
    [
      'inactive and sendonly',
      [invite(), response(1, 183, { sdp: { direction: 'sendonly' }, headers: pem('inactive') })],
      [],
    ],
    [
      'made active before the 200',
      [
        invite(),
        response(1, 183, { sdp: {}, headers: pem('inactive') }),
        request(2, 'UPDATE', { fromTag: 'a', headers: pem('sendrecv'), cseq: '1 UPDATE' }),
        response(5, 200),
      ],
      [],
    ],
    [
      'made active only after the 200',
      [
        invite(),
        response(1, 183, { sdp: {}, headers: pem('inactive') }),
        response(5, 200),
        request(6, 'UPDATE', { fromTag: 'a', headers: pem('sendrecv'), cseq: '1 UPDATE' }),
      ],
      ['EM_PEM_INACTIVE info'],
    ],
    [
      'by stream, the last direction for the rest',
      [
        invite(),
        response(1, 183, {
          sdp: { more: 'm=video 30000 RTP/AVP 31\r\n' },
          headers: pem('sendrecv, inactive, gated'),
        }),
      ],
      ['EM_PEM_INACTIVE info'],
    ],
    // EM_UNRELIABLE
    [
      '100rel is supported and not used',
      [invite(SUPPORTED), response(1, 183, { sdp: {} })],
      ['EM_UNRELIABLE info'],
    ],
    [
      'required and not used',
      [invite(['Require: 100rel']), response(1, 183, { sdp: {} })],
      ['EM_UNRELIABLE info'],
    ],
    ['used', [invite(SUPPORTED), response(1, 183, { sdp: {}, headers: RELIABLE(1) }), PRACK(1.1)], []],
    ['another option', [invite(['Supported: x100rel']), response(1, 183, { sdp: {} })], []],
    ['a bare 180 need not be reliable', [invite(SUPPORTED), response(1, 180)], []],
    // EM_PRACK_MISSING
    ['no PRACK', [invite(), response(1, 180, { headers: RELIABLE(1) })], ['EM_PRACK_MISSING warn']],
    ['a PRACK after exactly 32 s', [invite(), response(1, 180, { headers: RELIABLE(1) }), PRACK(33)], []],
    [
      'a PRACK later',
      [invite(), response(1, 180, { headers: RELIABLE(1) }), PRACK(33.000001)],
      ['EM_PRACK_MISSING warn'],
    ],
    [
      'a PRACK of another 18x',
      [invite(), response(1, 180, { headers: RELIABLE(1) }), PRACK(2, 2)],
      ['EM_PRACK_MISSING warn'],
    ],
    [
      'a PRACK of another INVITE',
      [invite(), response(1, 180, { headers: RELIABLE(1) }), PRACK(2, 1, 7)],
      ['EM_PRACK_MISSING warn'],
    ],
    [
      'an 18x that was sent again needs one PRACK',
      [
        invite(),
        response(1, 180, { headers: RELIABLE(1) }),
        response(1.5, 180, { headers: RELIABLE(1) }),
        PRACK(1.4),
      ],
      [],
    ],
    ['an unreliable 18x needs none', [invite(), response(1, 180)], []],
    // EM_BLACKHOLE
    [
      'an address of nobody',
      [invite(), response(1, 183, { sdp: { address: '0.0.0.0' } })],
      ['EM_BLACKHOLE warn'],
    ],
    [
      'a private address',
      [invite(), response(1, 183, { sdp: { address: '172.31.255.255' } })],
      ['EM_BLACKHOLE warn'],
    ],
    ['just beyond RFC 1918', [invite(), response(1, 183, { sdp: { address: '172.32.0.0' } })], []],
    [
      '10.0.0.0/8 and 192.168.0.0/16',
      [invite(), response(1, 183, { sdp: { address: '10.1.2.3' } })],
      ['EM_BLACKHOLE warn'],
    ],
    ['port 0', [invite(), response(1, 183, { sdp: { port: 0 } })], ['EM_BLACKHOLE warn']],
    [
      'only the video refused',
      [invite(), response(1, 183, { sdp: { more: 'm=video 0 RTP/AVP 31\r\n' } })],
      [],
    ],
    ['an address that can be reached', [invite(), response(1, 183, { sdp: {} })], []],
    [
      'in the 200 it is no early media',
      [invite(), response(1, 180), response(2, 200, { sdp: { address: '0.0.0.0' } })],
      [],
    ],
  ])('%s', (_, messages, codes) => {
    expect(codesOf(messages)).toEqual(codes)
  })

  test('says which messages, by kind and time', () => {
    const seen = lastTryOf(TRIED, changed({}, { port: 9_000 }))!
    expect(messageAnomalies(seen, thresholds)).toEqual([
      {
        code: 'EM_SDP_CHANGED',
        severity: 'info',
        sentence: 'The SDP of the 200 has another port than the unreliable 183 of the same To tag.',
        messages: [
          { what: '183', atUs: NOON_US + 1e6 },
          { what: '200', atUs: NOON_US + 5e6 },
        ],
      },
    ])
  })

  test('the order of arrival does not matter, nor a message that came twice, nor what another agent saw', () => {
    const call = [
      invite([...SUPPORTED, ...pem('supported')]),
      request(0.5, 'INVITE', { headers: [...SUPPORTED, ...pem('supported')] }),
      response(1, 183, { sdp: { address: '10.0.0.1' }, headers: RELIABLE(1) }),
      response(1.2, 183, { sdp: {}, tag: 'b', headers: pem('inactive') }),
      PRACK(40),
      response(5, 200, { sdp: { address: '203.0.113.7' }, tag: 'c' }),
      request(9, 'INVITE', { tag: 'c', cseq: '3 INVITE', branch: 'z9hG4bK3', sdp: {} }),
      response(9.1, 200, { tag: 'c', cseq: '3 INVITE', branch: 'z9hG4bK3', sdp: {} }),
    ]
    const elsewhere = call.map((one) => ({ ...one, agent: 'other/1', capturedAtUs: one.capturedAtUs - 7e6 }))
    const expected = lastTryOf(TRIED, call)
    expect(codesOf(call).length).toBeGreaterThan(4)
    fc.assert(
      fc.property(fc.shuffledSubarray([...call, ...call, ...elsewhere], { minLength: 24 }), (order) => {
        expect(lastTryOf(TRIED, order)).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  test('without the INVITE of the attempt nothing is said', () => {
    expect(codesOf([response(1, 183, { sdp: {} }), response(2, 200)])).toEqual(['no try'])
    expect(codesOf([])).toEqual(['no try'])
    expect(codesOf([{ ...invite(), source: '203.0.113.9' }])).toEqual(['no try'])
  })

  test('hostile SDP is read in bounds: thousands of streams, NUL, no line ends', () => {
    const streams = 'm=audio 9 RTP/AVP 0\r\n'.repeat(5_000)
    const bodies = [
      sdpOf({ more: streams }),
      sdpOf({ codecs: '0 '.repeat(8_000) }),
      `v=0\0\r\nc=IN IP4 \0\r\nm=\0audio 1\0 RTP/AVP\0`,
      'm=audio'.repeat(10_000),
      `${sdpOf()}${'a=rtpmap:96 x\r\n'.repeat(10_000)}`,
    ]
    for (const one of bodies) {
      const headers = pem(Array.from({ length: 5_000 }, () => 'sendrecv').join(','))
      const seen = lastTryOf(TRIED, [
        invite(),
        response(1, 183, { sdp: one, headers }),
        response(2, 200, { sdp: one }),
      ])!
      expect(seen.provisionals[0]?.media?.length ?? 0).toBeLessThanOrEqual(64)
      expect(seen.provisionals[0]?.earlyMedia?.length ?? 0).toBeLessThanOrEqual(64)
      messageAnomalies(seen, thresholds)
    }
  })

  test('any bytes give suspicions or none, never an exception', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
        fc.string(),
        (bodies, header) => {
          const messages = bodies.flatMap((body, at) => [
            response(at, 183, {
              sdp: Buffer.from(body).toString('latin1'),
              headers: [`P-Early-Media: ${header.replace(/[\r\n]/g, '')}`],
            }),
            { ...response(at, 200), bytes: Buffer.from(body) },
          ])
          codesOf([invite(), ...messages])
        },
      ),
      { numRuns: 200 },
    )
  })
})
