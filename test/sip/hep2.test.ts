import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEP_FLAG, type HepFrame } from '../../schemas/hep-frame.js'
import { checkHep2, decodeHep2 } from '../../sip/hep2.js'

interface Recorded {
  receivedAtUs: number
  hex: string
}
const recorded: { hep1: Recorded[]; hep2: Recorded[] } = JSON.parse(
  readFileSync(new URL('../fixtures/hep/kamailio-siptrace-hep2.json', import.meta.url), 'utf8'),
)

const RECEIVED_AT_US = 1_795_217_976_500_000
const SECONDS = 1_795_217_976
const INVITE = 'INVITE sip:a@b SIP/2.0\r\n\r\n'

function decoded(bytes: Buffer, receivedAtUs = RECEIVED_AT_US): HepFrame {
  const frame = decodeHep2(bytes, receivedAtUs)
  if ('reason' in frame) throw new Error(`refused: ${frame.reason}`)
  return frame
}

interface Written {
  version?: number
  order?: 'little' | 'big'
  padding?: string
  payload?: string
  seconds?: number
  microseconds?: number
}

/** Header, ports 5060 and 5080, 192.0.2.1 to 198.51.100.20, agent 2001. */
function hep2({ order = 'little', padding = '\0\0', payload = INVITE, version = 2, ...time }: Written = {}) {
  const head = Buffer.from('0210021113c413d8c0000201c6336414', 'hex')
  head[0] = version
  const { microseconds = 321, seconds = SECONDS } = time
  const clock = Buffer.alloc(10)
  if (order === 'little') {
    clock.writeUInt32LE(seconds, 0)
    clock.writeUInt32LE(microseconds, 4)
    clock.writeUInt16LE(2001, 8)
  } else {
    clock.writeUInt32BE(seconds, 0)
    clock.writeUInt32BE(microseconds, 4)
    clock.writeUInt16BE(2001, 8)
  }
  const parts = version === 2 ? [head, clock, Buffer.from(padding, 'latin1')] : [head]
  return Buffer.concat([...parts, Buffer.from(payload, 'latin1')])
}

describe('hep2', () => {
  test('what Kamailio sends as HEP2 is read field by field, over IPv4 and IPv6', () => {
    const frames = recorded.hep2.map(({ hex, receivedAtUs }) =>
      decoded(Buffer.from(hex, 'hex'), receivedAtUs),
    )
    expect(frames.map(({ payload: _, capturedAtUs: __, ...of }) => of)).toEqual(
      [
        ['127.0.0.20', 5961, '127.0.0.10', 5960],
        ['127.0.0.10', 5960, '127.0.0.20', 5961],
        ['::1', 5961, '::1', 5960],
        ['::1', 5960, '::1', 5961],
      ].map(([sourceAddress, sourcePort, destinationAddress, destinationPort]) => ({
        protocolType: 1,
        ipProtocol: 17,
        sourceAddress,
        sourcePort,
        destinationAddress,
        destinationPort,
        agentId: 2002,
        agentName: '',
        correlationId: '',
        flags: 0,
      })),
    )
    const startLines = frames.map(({ payload }) => payload.toString('latin1').split('\r\n')[0])
    expect(startLines.map((line) => line!.split(' ')[0])).toEqual(['INVITE', 'SIP/2.0', 'INVITE', 'SIP/2.0'])
    for (const [index, { capturedAtUs }] of frames.entries()) {
      expect(recorded.hep2[index]!.receivedAtUs - capturedAtUs).toBeGreaterThanOrEqual(0)
      expect(recorded.hep2[index]!.receivedAtUs - capturedAtUs).toBeLessThan(1_000_000)
    }
  })

  test('what Kamailio sends as HEP1 has no time and no agent id', () => {
    for (const { hex, receivedAtUs } of recorded.hep1) {
      const frame = decoded(Buffer.from(hex, 'hex'), receivedAtUs)
      expect(frame).toMatchObject({ capturedAtUs: 0, agentId: 0, flags: HEP_FLAG.missingTimestamp })
      expect(frame.payload.toString('latin1')).toMatch(/^(INVITE sip:|SIP\/2\.0 486 )/)
      expect([frame.sourcePort, frame.destinationPort].sort()).toEqual([5960, 5961])
    }
  })

  test('the time is read in the byte order that brings it nearer to the arrival, and the agent id in the same', () => {
    for (const order of ['little', 'big'] as const) {
      expect(decoded(hep2({ order }))).toMatchObject({
        capturedAtUs: SECONDS * 1_000_000 + 321,
        agentId: 2001,
      })
    }
  })

  test('the two bytes of padding are left out by some: the payload begins where a start line does', () => {
    const words = ['INVITE sip:a@b SIP/2.0', 'PRACK sip:a@b SIP/2.0', 'ACK sip:a@b SIP/2.0', 'SIP/2.0 200 OK']
    for (const payload of words) {
      for (const padding of ['', '\0\0', 'p\0', 'xx']) {
        expect(decoded(hep2({ padding, payload })).payload.toString(), `${padding}|${payload}`).toBe(payload)
      }
    }
  })

  test('a method nobody knows is read behind the padding', () => {
    expect(decoded(hep2({ payload: 'FROBNICATE sip:a@b SIP/2.0' })).payload.toString()).toMatch(/^FROB/)
  })

  test('seconds of 0 are no time; microseconds that nobody carried are, and nonsense is dropped', () => {
    expect(decoded(hep2({ seconds: 0 }))).toMatchObject({ capturedAtUs: 0, flags: HEP_FLAG.missingTimestamp })
    expect(decoded(hep2({ microseconds: 1_500_000 })).capturedAtUs).toBe(SECONDS * 1_000_000 + 1_500_000)
    expect(decoded(hep2({ microseconds: 3_000_000 })).capturedAtUs).toBe(SECONDS * 1_000_000)
  })

  test('the family of IPv6 has another number on other systems; the length of the header must fit it', () => {
    const frame = Buffer.from(recorded.hep2[2]!.hex, 'hex')
    for (const family of [10, 28, 30]) {
      frame[2] = family
      expect(decoded(frame).sourceAddress).toBe('::1')
    }
    frame[2] = 2
    expect(decodeHep2(frame, RECEIVED_AT_US)).toEqual({ reason: 'not_hep' })
  })

  test.each([
    ['no byte at all', Buffer.alloc(0), 'frame_too_short'],
    ['a version alone', Buffer.from([2]), 'frame_too_short'],
    ['another version', Buffer.from([3, 16, 2, 17]), 'not_hep'],
    ['HEP3', Buffer.from('HEP3\0\x06', 'latin1'), 'not_hep'],
    ['a header length that fits no family', hep2().fill(17, 1, 2), 'not_hep'],
    ['a header cut short', hep2().subarray(0, 15), 'frame_too_short'],
    ['a time cut short', hep2().subarray(0, 25), 'frame_too_short'],
  ])('%s is refused', (_, bytes, reason) => {
    expect(checkHep2(bytes, 0, bytes.length)).toBe(reason)
    expect(decodeHep2(bytes, RECEIVED_AT_US)).toEqual({ reason })
  })

  test('a frame that ends with its time, padded or not, is one without a payload', () => {
    for (const padding of ['', '\0', '\0\0']) {
      expect(decoded(hep2({ padding, payload: '' })).payload.length).toBe(0)
    }
  })

  test('any bytes give a frame or a reason, and the check agrees with the reader (fuzz)', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.constantFrom(1, 2), fc.constantFrom(16, 40), fc.uint8Array({ maxLength: 80 }))
        .map(([version, length, rest]) =>
          Uint8Array.from([version, length, length === 16 ? 2 : 10, ...rest]),
        ),
      fc.record({ at: fc.nat(60), value: fc.nat(255), size: fc.nat(60) }).map(({ at, size, value }) => {
        const frame = hep2()
        frame[at % frame.length] = value
        return frame.subarray(0, size)
      }),
    )
    const property = fc.property(bytes, fc.maxSafeNat(), (given, receivedAtUs) => {
      const frame = Buffer.from(given)
      const checked = checkHep2(frame, 0, frame.length)
      const read = decodeHep2(frame, receivedAtUs)
      expect('reason' in read ? read.reason : '').toBe(checked)
      if (!('reason' in read)) expect(Number.isSafeInteger(read.capturedAtUs)).toBe(true)
    })
    fc.assert(property, { numRuns: 20_000 })
  })
})
