import { describe, expect, it } from 'vitest'
import { Behaviour } from '../../../bin/demo/behaviour.js'
import { CallPlanner } from '../../../bin/demo/call-planner.js'
import { DEMO_CARRIERS } from '../../../bin/demo/network.js'
import type { PlannedCall } from '../../../bin/demo/planned-call.js'
import { troubleBefore } from '../../../bin/demo/trouble.js'

const NOW_US = 1_795_000_000_000_000
const CALLS = 20_000

function planAt(atUs: number, count: number, seed = 'mix'): PlannedCall[] {
  const planner = new CallPlanner({ seed, trouble: troubleBefore(NOW_US), customerLegs: false })
  return Array.from({ length: count }, (_, index) => planner.plan(atUs + index * 1_000))
}

const share = <T>(items: T[], is: (item: T) => boolean) => items.filter(is).length / items.length
const median = (values: number[]) => [...values].sort((one, other) => one - other)[values.length >> 1]!

const quiet = planAt(NOW_US - 7_200_000_000, CALLS)
const bad = planAt(NOW_US, CALLS)
const of = (calls: PlannedCall[], carrier: string, direction: string) =>
  calls.filter(({ expected }) => expected.carrier === carrier && expected.direction === direction)
const preRing487 = ({ expected }: PlannedCall) => expected.finalCode === 487 && !expected.rang
const pddS = (calls: PlannedCall[]) =>
  median(calls.flatMap(({ expected }) => (expected.pddMs === null ? [] : [expected.pddMs / 1_000])))

describe('call planner', () => {
  it('plans the same calls for the same seed, and others for another', () => {
    const [one, same, other] = ['a', 'a', 'b'].map((seed) => planAt(NOW_US, 300, seed))
    expect(one).toEqual(same)
    expect(one![0]!.expected.callId).not.toBe(other![0]!.expected.callId)
  })

  it('gives every attempt a key of its own, also when the same seed is used again later', () => {
    const again = new Set(planAt(NOW_US, 300, 'a').map(({ expected }) => expected.callId))
    expect(planAt(NOW_US + 500, 300, 'a').some(({ expected }) => again.has(expected.callId))).toBe(false)
    expect(new Set(quiet.map(({ expected }) => expected.callId)).size).toBe(CALLS)
  })

  it('shares calls among carriers and directions as their profiles say', () => {
    const total = DEMO_CARRIERS.reduce((sum, { id }) => sum + new Behaviour(id).profile.weight, 0)
    for (const { id } of DEMO_CARRIERS) {
      const { profile } = new Behaviour(id)
      const theirs = quiet.filter(({ expected }) => expected.carrier === id)
      expect(Math.abs(theirs.length / CALLS - profile.weight / total)).toBeLessThan(0.012)
      expect(
        Math.abs(share(theirs, ({ expected }) => expected.direction === 'inbound') - profile.inboundShare),
      ).toBeLessThan(0.03)
    }
  })

  it('mixes outcomes and attestations as the profiles say', () => {
    for (const { id } of DEMO_CARRIERS) {
      const behaviour = new Behaviour(id)
      for (const direction of ['inbound', 'outbound'] as const) {
        const theirs = of(quiet, id, direction)
        for (const outcome of [
          'answered',
          'busy',
          'abandoned',
          'not_found',
          'congested',
          'ring_timer',
        ] as const) {
          const wanted = behaviour.outcomes[direction].share(outcome)
          // Four standard errors.
          const tolerance = 4 * Math.sqrt((wanted * (1 - wanted)) / theirs.length) + 0.001
          expect(Math.abs(share(theirs, (call) => call.outcome === outcome) - wanted)).toBeLessThan(tolerance)
        }
        for (const level of ['A', 'B', 'C', 'none'] as const) {
          const wanted = behaviour.attestations[direction].share(level)
          const tolerance = 4 * Math.sqrt((wanted * (1 - wanted)) / theirs.length) + 0.001
          expect(
            Math.abs(share(theirs, ({ expected }) => expected.attestation === level) - wanted),
          ).toBeLessThan(tolerance)
        }
      }
    }
  })

  it('keeps to the carrier’s post-dial delay', () => {
    expect(Math.abs(pddS(of(quiet, 'aldermoor', 'outbound')) - 0.9)).toBeLessThan(0.08)
    expect(Math.abs(pddS(of(quiet, 'eastlattice', 'outbound')) - 2.6)).toBeLessThan(0.3)
  })

  it('lets one carrier go bad: 487 before ringing, post-dial delay, attestation', () => {
    const before = of(quiet, 'dunmarrow', 'outbound')
    const after = of(bad, 'dunmarrow', 'outbound')
    expect(share(before, preRing487)).toBeLessThan(0.05)
    expect(share(after, preRing487)).toBeGreaterThan(0.3)
    expect(pddS(after) / pddS(before)).toBeGreaterThan(2.5)
    const signedA = ({ expected }: PlannedCall) => expected.attestation === 'A'
    expect(share(of(quiet, 'dunmarrow', 'inbound'), signedA)).toBeGreaterThan(0.68)
    expect(share(of(bad, 'dunmarrow', 'inbound'), signedA)).toBeLessThan(0.2)
  })

  it('leaves the others as they were', () => {
    for (const { id } of DEMO_CARRIERS) {
      if (id === 'dunmarrow') continue
      expect(share(of(bad, id, 'outbound'), preRing487)).toBeLessThan(0.06)
      expect(Math.abs(pddS(of(bad, id, 'outbound')) / pddS(of(quiet, id, 'outbound')) - 1)).toBeLessThan(0.12)
    }
  })
})
