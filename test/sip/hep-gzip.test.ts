import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginsGzip, gunzipFrame, MEMBER_MAX_BYTES } from '../../sip/hep-gzip.js'
import { encodeHep3 } from '../../sip/hep3.js'

const FRAME = encodeHep3({
  sourceAddress: '192.0.2.1',
  agentId: 1,
  payload: 'OPTIONS sip:a@b SIP/2.0\r\n\r\n',
})
const MEMBER = gzipSync(FRAME)
const unzip = (bytes: Buffer) => gunzipFrame(bytes, 0, bytes.length)

/** Text that deflate cannot shrink. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

describe('a frame in gzip', () => {
  test('gives the frame and the length of the member, whatever stands around it', () => {
    const bytes = Buffer.concat([Buffer.from('xx'), MEMBER, MEMBER, FRAME])
    expect(gunzipFrame(bytes, 2, bytes.length)).toEqual({ frame: FRAME, memberBytes: MEMBER.length })
  })

  test('cut short anywhere it is incomplete', () => {
    for (let end = 1; end < MEMBER.length; end++) {
      expect(unzip(MEMBER.subarray(0, end)), `${end} bytes`).toEqual({ reason: 'incomplete' })
    }
  })

  test('a frame of full size that does not shrink is read', () => {
    const frame = encodeHep3({ payload: noise(65_535 - 6 - 21 - 6) })
    expect(frame.length).toBe(65_535)
    const member = gzipSync(frame)
    expect(member.length).toBeLessThan(MEMBER_MAX_BYTES)
    expect(unzip(member)).toEqual({ frame, memberBytes: member.length })
  })

  test('a damaged checksum, size or body is refused', () => {
    for (const at of [4, 8].map((back) => MEMBER.length - back)) {
      const bytes = Buffer.from(MEMBER)
      bytes[at]! ^= 1
      expect(unzip(bytes)).toEqual({ reason: 'gzip_damaged' })
    }
    expect(unzip(Buffer.concat([MEMBER.subarray(0, 10), Buffer.alloc(40, 0xff)]))).toEqual({
      reason: 'gzip_damaged',
    })
    const named = Buffer.from(MEMBER)
    named[3] = 8 // A file name: nobody sends frames so.
    expect(unzip(named)).toEqual({ reason: 'gzip_damaged' })
  })

  test('more than a frame can hold is refused while inflating, more than 100 times its input behind it', () => {
    expect(unzip(gzipSync(noise(65_536)))).toEqual({ reason: 'gzip_too_large' })
    expect(unzip(gzipSync(Buffer.alloc(64 * 1_048_576)))).toEqual({ reason: 'gzip_too_large' })
    expect(unzip(gzipSync(Buffer.alloc(20_000)))).toEqual({ reason: 'gzip_too_large' })
    expect(unzip(gzipSync(Buffer.concat([noise(500), Buffer.alloc(20_000)])))).toHaveProperty('frame')
  })

  test('a member that never ends is damaged once no frame can be that long', () => {
    const endless = Buffer.concat([
      MEMBER.subarray(0, 10),
      Buffer.alloc(70_000, Buffer.from('000000ffff', 'hex')),
    ])
    expect(unzip(endless.subarray(0, MEMBER_MAX_BYTES - 1))).toEqual({ reason: 'incomplete' })
    expect(unzip(endless)).toEqual({ reason: 'gzip_damaged' })
  })

  test('any bytes give a frame or a reason (fuzz)', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((rest) => Buffer.from([0x1f, 0x8b, 8, 0, ...rest])),
      fc.uint8Array({ maxLength: 60 }).map((rest) => Buffer.from(rest)),
      fc.record({ at: fc.nat(MEMBER.length - 1), value: fc.nat(255) }).map(({ at, value }) => {
        const damaged = Buffer.from(MEMBER)
        damaged[at] = value
        return damaged
      }),
    )
    const property = fc.property(bytes, (given) => {
      const read = unzip(given)
      if (!beginsGzip(given, 0, given.length)) expect(read).toEqual({ reason: 'gzip_damaged' })
      if ('reason' in read) expect(read.reason).toMatch(/^(incomplete|gzip_damaged|gzip_too_large)$/)
      else expect(read.memberBytes).toBeLessThanOrEqual(given.length)
    })
    fc.assert(property, { numRuns: 5_000 })
  })
})
