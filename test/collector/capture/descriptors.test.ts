import { describe, expect, test } from 'vitest'
import { DescriptorRoom, descriptorLimit } from '../../../collector/capture/descriptors.js'

function room(limit: number, opened: number) {
  const state = { opened, looks: 0, ms: 0 }
  const descriptors = new DescriptorRoom(
    limit,
    () => {
      state.looks++
      return state.opened
    },
    () => state.ms,
  )
  const takeAll = () => {
    let taken = 0
    while (taken < 10_000 && descriptors.take()) taken++
    return taken
  }
  return { descriptors, state, takeAll }
}

describe('descriptor room', () => {
  test('the last sixteenth, and 16 at least, is kept for files', () => {
    expect(room(64, 30).takeAll()).toBe(64 - 16 - 30 + 1) // The first one was open already when it was counted.
    expect(room(1_024, 100).takeAll()).toBe(1_024 - 64 - 100 + 1)
  })

  test('it looks again after a while, sooner when nothing is left', () => {
    const { descriptors, state, takeAll } = room(64, 30)
    takeAll()
    expect(state.looks).toBe(1)
    state.opened = 20
    expect(descriptors.take()).toBe(false)
    state.ms = 50
    expect(descriptors.take()).toBe(true)
    expect(state.looks).toBe(2)
    state.ms = 1_049
    expect(descriptors.take()).toBe(true)
    expect(state.looks).toBe(2)
    state.ms = 1_050
    state.opened = 64
    expect(descriptors.take()).toBe(false)
    expect(state.looks).toBe(3)
  })

  test('where the system tells no limit there is none', () => {
    const { state, takeAll } = room(Number.POSITIVE_INFINITY, 5)
    expect(takeAll()).toBe(10_000)
    expect(state.looks).toBe(0)
  })

  test('the limit of this process is read, and its own descriptors are counted', () => {
    expect(descriptorLimit()).toBeGreaterThan(100)
    expect(new DescriptorRoom().take()).toBe(true)
  })
})
