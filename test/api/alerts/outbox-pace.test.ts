import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs, Circuit } from '../../../api/alerts/outbox-pace.js'

const chance = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

describe('backoff', () => {
  test('doubles from a second to five minutes, half of it by chance', () => {
    expect([1, 2, 3, 9, 10, 99].map((tries) => backoffMs(tries, () => 0))).toEqual([
      500, 1_000, 2_000, 128_000, 150_000, 150_000,
    ])
    fc.assert(
      fc.property(fc.nat(2_000), chance, (tries, random) => {
        const waitMs = backoffMs(tries, () => random)
        expect(waitMs).toBeGreaterThanOrEqual(500)
        expect(waitMs).toBeLessThanOrEqual(300_000)
      }),
    )
  })
})

describe('the circuit', () => {
  test('opens after five failures in a row, waits longer each time, and closes with an answer', () => {
    const circuit = new Circuit()
    for (let failure = 0; failure < 4; failure++) circuit.failed(1_000, () => 1)
    expect([circuit.isOpen, circuit.readyAtMs]).toEqual([false, 0])
    circuit.failed(1_000, () => 1)
    expect([circuit.isOpen, circuit.readyAtMs]).toEqual([true, 31_000])
    circuit.failed(31_000, () => 1)
    expect(circuit.readyAtMs).toBe(91_000)
    circuit.answered()
    expect([circuit.isOpen, circuit.readyAtMs]).toEqual([false, 0])
  })

  test('never waits more than five minutes for a look', () => {
    fc.assert(
      fc.property(fc.nat(5_000), chance, (failures, random) => {
        const circuit = new Circuit()
        for (let failure = 0; failure < failures; failure++) circuit.failed(0, () => random)
        expect(circuit.readyAtMs).toBeLessThanOrEqual(300_000)
      }),
      { numRuns: 50 },
    )
  })
})
