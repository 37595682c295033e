import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusals } from '../../../collector/capture/admission.js'
import { type AdmissionSettings, CaptureIntake } from '../../../collector/capture/frame-intake.js'
import { encodeHep3 } from '../../../sip/hep3.js'

const KEY = 'correct horse battery'
const OPEN: AdmissionSettings = { agentKey: undefined, allowedAgents: [], hep2: false }
const hep3 = (authKey?: string) =>
  encodeHep3({ sourceAddress: '192.0.2.1', authKey, payload: 'OPTIONS sip:a@b SIP/2.0\r\n\r\n' })
const [{ hex }] = JSON.parse(
  readFileSync(new URL('../../fixtures/hep/kamailio-siptrace-hep2.json', import.meta.url), 'utf8'),
).hep2
const HEP2 = Buffer.from(hex, 'hex')

function intakeOf(settings: Partial<AdmissionSettings> = {}) {
  const spooled: Buffer[] = []
  const refusals = new Refusals(settings.agentKey)
  const intake = new CaptureIntake({
    settings: { ...OPEN, ...settings },
    refusals,
    nowUs: () => 1_000_000,
    append: (_receivedAtUs, _transport, _peerAddress, bytes, start, end) => {
      spooled.push(Buffer.from(bytes.subarray(start, end)))
      return ''
    },
  })
  const take = (bytes: Buffer, transport: 'udp' | 'tcp' = 'udp') =>
    intake.take(bytes, 0, bytes.length, transport, '192.0.2.9')
  const refused = () => Object.entries(refusals.counts).filter(([, count]) => count > 0)
  return { intake, refused, refusals, spooled, take }
}

describe('intake', () => {
  test('a good frame is spooled as it came, a bad one counted with what it was', () => {
    const { refused, refusals, spooled, take } = intakeOf()
    take(hep3())
    take(Buffer.from('GET / HTTP/1.1'))
    expect(spooled).toEqual([hep3()])
    expect(refused()).toEqual([['not_hep', 1]])
    expect(refusals.takeSamples()).toMatchObject([{ reason: 'not_hep', transport: 'udp', sizeBytes: 14 }])
  })

  test('a datagram in gzip is spooled inflated: what lies on disk is what was checked', () => {
    const { refused, spooled, take } = intakeOf({ agentKey: KEY })
    take(gzipSync(hep3(KEY)))
    take(gzipSync(hep3()))
    take(gzipSync(hep3('another key of somebody')))
    take(gzipSync(Buffer.from('not HEP at all')))
    take(gzipSync(gzipSync(hep3(KEY)))) // One layer is what agents send.
    expect(spooled).toEqual([hep3(KEY)])
    expect(refused()).toEqual([
      ['not_hep', 2],
      ['key_missing', 1],
      ['key_mismatch', 1],
    ])
  })

  test('a compression bomb, damaged gzip, and bytes behind the gzip are refused by their reasons', () => {
    const { refused, spooled, take } = intakeOf()
    take(gzipSync(Buffer.alloc(60_000_000)))
    take(gzipSync(hep3()).subarray(0, 40))
    take(Buffer.concat([gzipSync(hep3()), Buffer.from('!')]))
    expect(spooled).toEqual([])
    expect(refused()).toEqual([
      ['length_mismatch', 1],
      ['gzip_damaged', 1],
      ['gzip_too_large', 1],
    ])
  })

  test('HEP2 is taken with its flag only, and never where a key is asked for', () => {
    for (const [settings, spooledFrames, reasons] of [
      [{}, 0, [['not_hep', 1]]],
      [{ hep2: true }, 1, []],
      [{ hep2: true, agentKey: KEY }, 0, [['key_missing', 1]]],
    ] as const) {
      const { refused, spooled, take } = intakeOf(settings)
      take(HEP2)
      expect(spooled).toEqual(Array.from({ length: spooledFrames }, () => HEP2))
      expect(refused()).toEqual(reasons)
    }
  })

  test('with the flag a damaged HEP2 frame has its own reason, and HEP3 is still taken', () => {
    const { refused, spooled, take } = intakeOf({ hep2: true })
    take(HEP2.subarray(0, 20))
    take(hep3())
    expect(spooled).toEqual([hep3()])
    expect(refused()).toEqual([['frame_too_short', 1]])
  })

  test('a change holds from the next frame on', () => {
    const { intake, refused, spooled, take } = intakeOf()
    take(hep3())
    intake.change({ agentKey: KEY, allowedAgents: ['192.0.2.0/24'], hep2: false })
    take(hep3())
    take(hep3(KEY))
    expect(intake.isAllowed('192.0.2.9')).toBe(true)
    expect(intake.isAllowed('198.51.100.1')).toBe(false)
    intake.change(OPEN)
    take(hep3())
    expect(intake.isAllowed('198.51.100.1')).toBe(true)
    expect(spooled).toEqual([hep3(), hep3(KEY), hep3()])
    expect(refused()).toEqual([['key_missing', 1]])
  })

  test('after a change of the key neither the old nor the new one shows in a sample', () => {
    const { intake, refusals } = intakeOf({ agentKey: KEY })
    const next = 'staple of the next month'
    intake.change({ ...OPEN, agentKey: next })
    intake.refuse('skipped_bytes', 'tcp', '192.0.2.9', Buffer.from(`junk ${KEY} junk ${next} junk`))
    const [sample] = refusals.takeSamples()
    expect(sample!.sample.toString()).toBe(
      `junk ${'*'.repeat(KEY.length)} junk ${'*'.repeat(next.length)} junk`,
    )
  })

  test('any bytes are spooled or counted, never an exception (fuzz)', () => {
    const first = fc.constantFrom(0x1f, 1, 2, 0x48, 0)
    const property = fc.property(
      first,
      fc.uint8Array({ maxLength: 60 }),
      fc.boolean(),
      (byte, rest, hep2) => {
        const { refused, spooled, take } = intakeOf({ hep2 })
        take(Buffer.from([byte, ...rest]))
        expect(spooled.length + refused().length).toBe(1)
      },
    )
    fc.assert(property, { numRuns: 5_000 })
  })
})
