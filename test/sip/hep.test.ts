import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeHep, isHep2, sipPayloadOfFrame } from '../../sip/hep.js'
import { encodeHep3 } from '../../sip/hep3.js'

const OPTIONS = 'OPTIONS sip:a@b SIP/2.0\r\n\r\n'
const hep3 = encodeHep3({ sourceAddress: '192.0.2.1', agentId: 7, payload: OPTIONS })
const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/hep/kamailio-siptrace-hep2.json', import.meta.url), 'utf8'),
)
const hep1: Buffer = Buffer.from(recorded.hep1[0].hex, 'hex')
const hep2: Buffer = Buffer.from(recorded.hep2[0].hex, 'hex')

describe('hep', () => {
  test('the first byte tells the versions apart', () => {
    expect([hep1, hep2, hep3].map((bytes) => isHep2(bytes[0]))).toEqual([true, true, false])
    expect(isHep2(undefined)).toBe(false)
    expect(decodeHep(hep3, 0)).toMatchObject({ agentId: 7 })
    expect(decodeHep(hep2, recorded.hep2[0].receivedAtUs)).toMatchObject({ agentId: 2002 })
  })

  test('the SIP message of a frame is found in each of them', () => {
    expect(String(sipPayloadOfFrame(hep3))).toBe(OPTIONS)
    expect(String(sipPayloadOfFrame(encodeHep3({ payload: OPTIONS, compress: 'gzip' })))).toBe(OPTIONS)
    for (const bytes of [hep1, hep2])
      expect(String(sipPayloadOfFrame(bytes))).toMatch(/^INVITE sip:.*\r\n\r\n$/s)
  })

  test('a frame without one gives the reason', () => {
    expect(sipPayloadOfFrame(encodeHep3({}))).toEqual({ reason: 'keepalive' })
    expect(sipPayloadOfFrame(encodeHep3({ protocolType: 5, payload: '{}' }))).toEqual({ reason: 'not_sip' })
    expect(sipPayloadOfFrame(hep2.subarray(0, 20))).toEqual({ reason: 'frame_too_short' })
    expect(sipPayloadOfFrame(Buffer.from('GET /'))).toEqual({ reason: 'not_hep' })
  })
})
