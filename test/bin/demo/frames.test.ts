import { describe, expect, it } from 'vitest'
import { hepFrame, secondsOffset } from '../../../bin/demo/frames.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'
import { encodeHep3 } from '../../../sip/hep3.js'

const routes = DEMO_CARRIERS.flatMap((carrier) =>
  carrier.trunks.flatMap((trunk) => [trunk.toFar, trunk.fromFar]),
)

describe('demo frames', () => {
  it('are byte for byte what encodeHep3 writes, on every route, at any time, with and without a key', () => {
    for (const route of routes) {
      for (const atUs of [1_795_000_000_000_000, 1_795_000_000_999_999, 1_000_001]) {
        const text = `OPTIONS sip:a@b SIP/2.0\r\nX: ${atUs}\r\n\r\n`
        const written = encodeHep3({ ...route, capturedAtUs: atUs, payload: text })
        expect(hepFrame({ atUs, route, text }).equals(written)).toBe(true)
        const withKey = encodeHep3({ ...route, authKey: 'secret-1', capturedAtUs: atUs, payload: text })
        expect(hepFrame({ atUs, route, text }, 'secret-1').equals(withKey)).toBe(true)
        expect(written.readUInt32BE(secondsOffset(route))).toBe(Math.floor(atUs / 1_000_000))
      }
    }
  })

  it('refuses a message that fits in no frame', () => {
    expect(() => hepFrame({ atUs: 0, route: routes[0]!, text: 'x'.repeat(65_500) })).toThrow(
      'fits in no frame',
    )
  })
})
