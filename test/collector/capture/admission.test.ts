import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { encodeHep3 } from '../../../sip/hep3.js'

const compared: [Buffer, Buffer][] = []
vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:crypto')>()
  const timingSafeEqual = (a: Buffer, b: Buffer) => {
    compared.push([Buffer.from(a), Buffer.from(b)])
    return original.timingSafeEqual(a, b)
  }
  return { ...original, timingSafeEqual }
})

const { Admission, blankAgentKey, Refusals, SAMPLE_MAX_BYTES } = await import(
  '../../../collector/capture/admission.js'
)

const KEY = 'correct horse battery'
const sha256 = (text: string) => createHash('sha256').update(text).digest()
const frameWith = (authKey?: string) =>
  encodeHep3({
    sourceAddress: '192.0.2.1',
    destinationAddress: '192.0.2.2',
    authKey,
    payload: 'OPTIONS sip:x SIP/2.0',
  })

afterEach(() => {
  compared.length = 0
})

describe('admission', () => {
  test('without a configured key every well-formed frame comes in', () => {
    const admission = new Admission(undefined)
    for (const frame of [frameWith(), frameWith('whatever')]) {
      expect(admission.check(frame, 0, frame.length)).toBe('')
    }
    expect(compared).toEqual([])
  })

  test('a malformed frame is refused by its own reason, before the key is looked at', () => {
    const admission = new Admission(KEY)
    const frame = frameWith()
    const refuse = (bytes: Buffer) => admission.check(bytes, 0, bytes.length)
    expect(refuse(Buffer.from('SIP/2.0 200 OK'))).toBe('not_hep')
    expect(refuse(frame.subarray(0, frame.length - 1))).toBe('frame_too_short')
    expect(refuse(Buffer.concat([frame, Buffer.from('x')]))).toBe('length_mismatch')
  })

  test('with a configured key: none is key_missing, another is key_mismatch, the right one comes in', () => {
    const admission = new Admission(KEY)
    const verdict = (frame: Buffer) => admission.check(frame, 0, frame.length)
    expect(verdict(frameWith())).toBe('key_missing')
    expect(verdict(frameWith(''))).toBe('key_mismatch')
    expect(verdict(frameWith(`${KEY} `))).toBe('key_mismatch')
    expect(verdict(frameWith(KEY.slice(0, -1)))).toBe('key_mismatch')
    expect(verdict(frameWith(KEY))).toBe('')
  })

  test('keys are compared in constant time, over digests of equal length', () => {
    const admission = new Admission(KEY)
    for (const key of ['a', KEY, 'k'.repeat(500)]) {
      const frame = frameWith(key)
      admission.check(frame, 0, frame.length)
    }
    expect(compared).toEqual([
      [sha256('a'), sha256(KEY)],
      [sha256(KEY), sha256(KEY)],
      [sha256('k'.repeat(500)), sha256(KEY)],
    ])
  })

  test('the key is that of the frame inside a larger buffer, not of its neighbours', () => {
    const admission = new Admission(KEY)
    const [good, bad] = [frameWith(KEY), frameWith('not this one')]
    const both = Buffer.concat([good, bad, good])
    expect(admission.check(both, 0, good.length)).toBe('')
    expect(admission.check(both, good.length, good.length + bad.length)).toBe('key_mismatch')
  })
})

describe('refusals', () => {
  test('every refusal is counted, one sample a reason and second is kept', () => {
    const refusals = new Refusals(undefined)
    const bytes = Buffer.from('garbage')
    const refuse = (reason: 'not_hep' | 'key_missing', us: number) =>
      refusals.refuse(reason, us, 'udp', '192.0.2.9', bytes, 0, bytes.length)
    for (let us = 0; us < 2_500_000; us += 1_000) refuse('not_hep', us)
    refuse('key_missing', 5)
    expect(refusals.counts.not_hep).toBe(2_500)
    expect(refusals.counts.key_missing).toBe(1)
    const samples = refusals.takeSamples()
    expect(samples.map(({ reason, receivedAtUs }) => [reason, receivedAtUs])).toEqual([
      ['not_hep', 0],
      ['not_hep', 1_000_000],
      ['not_hep', 2_000_000],
      ['key_missing', 5],
    ])
    expect(samples[0]).toEqual({
      stage: 'capture',
      reason: 'not_hep',
      receivedAtUs: 0,
      transport: 'udp',
      peerAddress: '192.0.2.9',
      sizeBytes: 7,
      sample: bytes,
    })
    expect(refusals.takeSamples()).toEqual([])
  })

  test('a sample is a copy of the first 2,048 bytes at most', () => {
    const refusals = new Refusals(undefined)
    const bytes = Buffer.alloc(70_000, 'y')
    refusals.refuse('chunk_overrun', 1, 'tcp', '192.0.2.9', bytes, 1_000, 61_000)
    bytes.fill('z')
    const [sample] = refusals.takeSamples()
    expect(sample!.sizeBytes).toBe(60_000)
    expect(sample!.sample).toEqual(Buffer.alloc(SAMPLE_MAX_BYTES, 'y'))
  })

  test('the agent key of a refused frame is not in its sample, a wrong key neither', () => {
    const refusals = new Refusals(KEY)
    for (const key of [KEY, 'the key of another site']) {
      const frame = frameWith(key)
      refusals.refuse(
        'key_mismatch',
        Date.now() * 1e6 + key.length * 1e7,
        'udp',
        '192.0.2.9',
        frame,
        0,
        frame.length,
      )
      const [sample] = refusals.takeSamples()
      expect(sample!.sample.length).toBe(frame.length)
      expect(sample!.sample.toString('latin1')).not.toContain(key)
      expect(sample!.sample.toString('latin1')).toContain('*'.repeat(key.length))
      expect(sample!.sample.toString('latin1')).toContain('OPTIONS sip:x')
      expect(frame.toString('latin1')).toContain(key) // The frame itself is untouched.
    }
  })

  test('whatever is cut off or put around a frame, the configured key does not show in the sample', () => {
    const frame = frameWith(KEY)
    fc.assert(
      fc.property(
        fc.nat(frame.length),
        fc.nat(frame.length),
        fc.uint8Array({ maxLength: 30 }),
        (from, to, junk) => {
          const sample = Buffer.concat([junk, frame.subarray(from, to)])
          if (junk.length === 0) blankAgentKey(sample, Buffer.from(KEY))
          else blankAgentKey(sample, Buffer.from(KEY))
          const text = sample.toString('latin1')
          expect(text).not.toContain(KEY)
          if (junk.length > 0) return
          for (let part = 2; part < KEY.length; part++) {
            expect(text.startsWith(KEY.slice(-part))).toBe(false)
            expect(text.endsWith(KEY.slice(0, part))).toBe(false)
          }
        },
      ),
    )
  })
})
