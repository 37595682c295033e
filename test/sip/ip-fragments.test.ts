import { describe, expect, test } from 'vitest'
import { IpFragments } from '../../sip/ip-fragments.js'
import type { Fragment, IpPacket } from '../../sip/ip-packet.js'

const packet = (payload: string): IpPacket => ({
  sourceAddress: '192.0.2.1',
  destinationAddress: '192.0.2.2',
  protocol: 17,
  payload: Buffer.from(payload),
  isCut: false,
  fragment: undefined,
})

function reader() {
  const fragments = new IpFragments()
  const lost: string[] = []
  const add = (payload: string, fragment: Fragment, atUs = 0) =>
    fragments.add(packet(payload), fragment, atUs, (reason) => lost.push(reason))?.toString()
  return { add, lost, end: () => fragments.end((reason) => lost.push(reason)) }
}

describe('ip fragments', () => {
  test('where fragments overlap, what came first stays', () => {
    const { add } = reader()
    expect(add('aaaaaaaabbbbbbbb', { id: 1, offset: 0, hasMore: true })).toBeUndefined()
    expect(add('XXXXXXXXcc', { id: 1, offset: 8, hasMore: false })).toBe('aaaaaaaabbbbbbbbcc')
  })

  test('one whose place cannot be is counted and left out', () => {
    const { add, lost } = reader()
    add('odd', { id: 1, offset: 0, hasMore: true })
    add('beyond the end', { id: 1, offset: 65_528, hasMore: false })
    add('', { id: 1, offset: 8, hasMore: true })
    expect(lost).toEqual(['fragment_damaged', 'fragment_damaged', 'fragment_damaged'])
  })

  test('an id that comes again a minute later begins anew', () => {
    const { add, lost } = reader()
    add('aaaaaaaa', { id: 1, offset: 0, hasMore: true })
    expect(add('b', { id: 1, offset: 8, hasMore: false }, 61e6)).toBeUndefined()
    expect(add('cccccccc', { id: 1, offset: 0, hasMore: true }, 61e6)).toBe('ccccccccb')
    expect(lost).toEqual(['fragment_missing'])
  })

  test('of too many the oldest is given up; at the end what is not whole is counted', () => {
    const { add, lost, end } = reader()
    for (let id = 0; id < 300; id++) add('aaaaaaaa', { id, offset: 0, hasMore: true })
    expect(lost).toHaveLength(44)
    expect(add('b', { id: 299, offset: 8, hasMore: false })).toBe('aaaaaaaab')
    end()
    expect(lost).toHaveLength(299)
  })
})
