import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Observation, observe } from '../../../collector/enrich/observe.js'
import { HEP_FLAG, type ReceivedFrame } from '../../../schemas/hep-frame.js'
import { encodeHep3 } from '../../../sip/hep3.js'

const recorded: Record<'hep1' | 'hep2', { receivedAtUs: number; hex: string }[]> = JSON.parse(
  readFileSync(new URL('../../fixtures/hep/kamailio-siptrace-hep2.json', import.meta.url), 'utf8'),
)

function received(bytes: Buffer, receivedAtUs: number): ReceivedFrame {
  return { receivedAtUs, transport: 'udp', peerAddress: '192.0.2.9', bytes, position: 0 }
}

function observed(bytes: Buffer, receivedAtUs: number): Observation {
  const observation = observe(received(bytes, receivedAtUs))
  if ('reason' in observation) throw new Error(`refused: ${observation.reason}`)
  return observation
}

describe('observe', () => {
  test('HEP2 gives the same message as HEP3 would, from the same agent', () => {
    for (const { hex, receivedAtUs } of recorded.hep2) {
      const bytes = Buffer.from(hex, 'hex')
      const old = observed(bytes, receivedAtUs)
      const { capturedAtUs, destinationAddress, destinationPort, sourceAddress, sourcePort } = old.observed
      const payload = bytes.subarray(bytes[2] === 2 ? 28 : 52)
      const frame = encodeHep3({
        sourceAddress,
        sourcePort,
        destinationAddress,
        destinationPort,
        capturedAtUs,
        agentId: 2002,
        payload,
      })
      expect(observed(frame, receivedAtUs)).toEqual(old)
      expect(old.observed.agent).toBe('192.0.2.9/2002')
    }
  })

  test('HEP1 has no time: the arrival stands in, flagged', () => {
    const { hex, receivedAtUs } = recorded.hep1[0]!
    const { observed: message } = observed(Buffer.from(hex, 'hex'), receivedAtUs)
    expect(message.capturedAtUs).toBe(receivedAtUs)
    expect(message.frameFlags & HEP_FLAG.missingTimestamp).toBe(HEP_FLAG.missingTimestamp)
    expect(message.message.method).toBe('INVITE')
  })

  test('a HEP2 time far from the arrival in either byte order is replaced by it, as in HEP3', () => {
    const { hex, receivedAtUs } = recorded.hep2[0]!
    const bytes = Buffer.from(hex, 'hex')
    bytes.writeUInt32LE(1, 16)
    const { observed: message } = observed(bytes, receivedAtUs)
    expect(message.capturedAtUs).toBe(receivedAtUs)
    expect(message.frameFlags & HEP_FLAG.clampedTimestamp).toBe(HEP_FLAG.clampedTimestamp)
  })

  test('a HEP2 frame without a payload is an agent keeping its way open', () => {
    const { hex, receivedAtUs } = recorded.hep2[0]!
    expect(observe(received(Buffer.from(hex, 'hex').subarray(0, 28), receivedAtUs))).toMatchObject({
      reason: 'keepalive',
      agentId: 2002,
    })
  })

  test('what is no frame gives its reason', () => {
    expect(observe(received(Buffer.from('GET / HTTP/1.1'), 1))).toMatchObject({ reason: 'not_hep' })
    expect(observe(received(Buffer.from([2, 16, 2]), 1))).toMatchObject({ reason: 'frame_too_short' })
  })
})
