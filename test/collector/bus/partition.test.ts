import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hashOf, layersOf, partitionOf } from '../../../collector/bus/partition.js'

describe('partition', () => {
  test('the hash is the one that every publisher before this one used', () => {
    expect(hashOf(Buffer.from(''))).toBe(0xab3e7c0b)
    expect(hashOf(Buffer.from('a84b4c76e66710@pc33.atlanta.example.com'))).toBe(0xb9541e18)
    expect(partitionOf(hashOf(Buffer.from('192.0.2.1')), 24, 3)).toBe(49)
  })

  test('a topic that grows keeps every hash in its base partition', () => {
    const property = fc.property(
      fc.nat(0xffff_ffff),
      fc.integer({ min: 1, max: 1_024 }),
      fc.nat(5_000),
      (hash, base, more) => {
        const partitions = base + more
        const partition = partitionOf(hash, base, layersOf(partitions, base))
        expect(partition % base).toBe(partitionOf(hash, base, 1))
        expect(partition).toBeLessThan(partitions)
      },
    )
    fc.assert(property)
  })

  test.each([
    [24, 24],
    [24, 72],
    [4, 8],
    [7, 21],
  ])('Call-IDs that differ in a digit spread evenly: %i of %i partitions', (base, partitions) => {
    const layers = layersOf(partitions, base)
    const calls = 20_000
    const counts = new Array<number>(partitions).fill(0)
    for (let n = 0; n < calls; n++) {
      counts[partitionOf(hashOf(Buffer.from(`${n}-4711@192.0.2.11`)), base, layers)]!++
    }
    const mean = calls / partitions
    const chiSquared = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
    expect(chiSquared).toBeLessThan(partitions + 5 * Math.sqrt(2 * partitions)) // 5 standard deviations.
  })
})
