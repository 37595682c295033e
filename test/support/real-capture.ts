/**
 * The real capture of `test/fixtures/hep` (Kamailio, SIPp) and its truth: what everything else is measured against.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { Hep3StreamReader } from '../../sip/hep3-stream.js'

export const CAPTURE = fileURLToPath(new URL('../fixtures/hep/kamailio-siptrace.hep', import.meta.url))
/** Configuration and truth in one file. */
export const CAPTURE_CONFIG = fileURLToPath(
  new URL('../fixtures/hep/kamailio-siptrace.json', import.meta.url),
)

export function captureFrames(): Buffer[] {
  const frames: Buffer[] = []
  new Hep3StreamReader().push(readFileSync(CAPTURE), (bytes, start, end) =>
    frames.push(Buffer.from(bytes.subarray(start, end))),
  )
  return frames
}

/**
 * The same frames as if the last had been captured at `lastS`: a live collector replaces capture times more than 400 days
 * old, and this capture grows old. Only the seconds of chunk 9 change, by one amount, so every delta stays.
 */
export function movedTo(
  frames: readonly Buffer[],
  lastS: number,
): { frames: Buffer[]; firstS: number; lastS: number } {
  const secondsAt = (frame: Buffer) => {
    for (let at = 6; at + 6 <= frame.length; at += frame.readUInt16BE(at + 4)) {
      if (frame.readUInt16BE(at) === 0 && frame.readUInt16BE(at + 2) === 9) return at + 6
    }
    throw new Error('a frame without a timestamp')
  }
  const seconds = frames.map((frame) => frame.readUInt32BE(secondsAt(frame)))
  const shift = lastS - Math.max(...seconds)
  const moved = frames.map((frame) => {
    const copy = Buffer.from(frame)
    copy.writeUInt32BE(copy.readUInt32BE(secondsAt(copy)) + shift, secondsAt(copy))
    return copy
  })
  return { frames: moved, firstS: Math.min(...seconds) + shift, lastS }
}

/** Path of `/v1/kpis` for whole minutes around some seconds. */
export function kpiPath(firstS: number, lastS: number, more = ''): string {
  const from = Math.floor(firstS / 60) * 60
  const to = (Math.floor(lastS / 60) + 1) * 60
  return `/v1/kpis?from=${from}&to=${to}&group_by=carrier${more}`
}

interface Truth {
  attempts: number
  answered: number
  '487_after_ringing': number
  486?: number
  503?: number
  answered_behind_183_sdp?: number
  attestation: Record<string, number>
  '180_first'?: number
  pdd_about_s?: number
}

export function truth(): Record<'alpha' | 'bravo', Truth> {
  return JSON.parse(readFileSync(CAPTURE_CONFIG, 'utf8')).truth
}

/** Every number that the truth names, and nothing else beside it. */
export function expectTruth(answer: KpiAnswer): void {
  expect(answer.groups.map((group) => group.by.carrier).sort()).toEqual(['alpha', 'bravo'])
  for (const group of answer.groups) {
    const known = truth()[group.by.carrier as 'alpha' | 'bravo']
    const responses = Object.fromEntries(
      [
        ['200', known.answered],
        ['486', known[486]],
        ['487', known['487_after_ringing']],
        ['503', known[503]],
      ].filter(([, n]) => n),
    )
    expect(group).toMatchObject({ attempts: known.attempts, open: 0, incomplete: 0, responses })
    expect(Object.keys(group.responses).sort()).toEqual(Object.keys(responses).sort())
    expect(group.cancels).toEqual({ CALLER_ABANDON_RING: known['487_after_ringing'] })
    expect(group.attestation).toEqual({ A: 0, B: 0, C: 0, none: 0, malformed: 0, ...known.attestation })
    expect(group.kpis.rate_487).toMatchObject({
      numerator: known['487_after_ringing'],
      denominator: known.attempts,
    })
    expect(group.kpis.asr).toMatchObject({ numerator: known.answered, denominator: known.attempts })
    expect(group.kpis.pre_ring_487_rate).toMatchObject({ numerator: 0, denominator: known.attempts })
    // "Answered calls last about 1.5 s, so they are short calls too."
    expect(group.kpis.short_call_rate).toMatchObject({
      numerator: known.answered,
      denominator: known.answered,
    })
    if (known['180_first'] !== undefined)
      expect(group.kpis.pdd_p50).toMatchObject({ count: known['180_first'] })
    if (known.pdd_about_s !== undefined)
      expect(Math.abs((group.kpis.pdd_p50?.value ?? 9) - known.pdd_about_s)).toBeLessThan(0.02)
  }
}
