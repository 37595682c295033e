import { describe, expect, test } from 'vitest'
import { editDistance, nearest } from '../../../bin/connect/nearest.js'

describe('nearest', () => {
  test('a word with a typo finds the known word', () => {
    expect(nearest('peer', ['id', 'name', 'peers'])).toBe('peers')
    expect(nearest('custmers', ['sites', 'carriers', 'customers'])).toBe('customers')
    expect(nearest('Sites', ['sites', 'carriers'])).toBe('sites')
  })

  test('a word without its unit finds the word with it', () => {
    expect(nearest('size_max', ['size_max_bytes', 'raw_days'])).toBe('size_max_bytes')
    expect(nearest('raw', ['size_max_bytes', 'raw_days'])).toBe('raw_days')
  })

  test('a word that resembles none finds none', () => {
    expect(nearest('direction', ['sites', 'carriers', 'customers'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })

  test('a swap of neighbours is one mistake', () => {
    expect(editDistance('cidr', 'cdir')).toBe(1)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('same', 'same')).toBe(0)
  })
})
