import { describe, expect, test } from 'vitest'
import { TcpStreams } from '../../sip/tcp-streams.js'
import { FIN, ROUTE, SYN, sip, tcp } from '../support/packets.js'

const ENDS = { sourceAddress: ROUTE.source, destinationAddress: ROUTE.destination }
const NOTHING = Buffer.alloc(0)

function reader() {
  const messages: [text: string, atUs: number][] = []
  const unread: string[] = []
  const streams = new TcpStreams({
    onMessage: (_, payload, atUs) => messages.push([payload.toString(), atUs]),
    onUnread: (reason) => unread.push(reason),
  })
  const add = (sequence: number, payload: Buffer, atUs = 0, flags = 16) =>
    streams.add(ENDS, tcp(ROUTE, sequence, payload, flags), atUs)
  return { add, messages, unread, end: () => streams.end() }
}

const one = sip('one')
const two = sip('two')

describe('tcp streams', () => {
  test('a gap is given up after half a minute of capture time, and what waited keeps its own times', () => {
    const { add, messages, unread } = reader()
    add(0, NOTHING, 0, SYN)
    add(1 + 50, one, 1e6)
    add(1 + 50 + one.length, two, 2e6)
    expect(messages).toEqual([])
    add(1 + 50 + one.length + two.length, one, 32e6)
    expect(messages).toEqual([
      [String(one), 1e6],
      [String(two), 2e6],
      [String(one), 32e6],
    ])
    expect(unread).toEqual(['tcp_gap'])
  })

  test('a gap is given up when too much waits behind it', () => {
    const { add, messages, unread } = reader()
    add(0, NOTHING, 0, SYN)
    for (let index = 0; index <= 256; index++) add(100 + index * one.length, one)
    expect(messages).toHaveLength(257)
    expect(unread).toEqual(['tcp_gap'])
  })

  test('a SYN that is repeated changes nothing; behind a FIN any other one begins anew', () => {
    const { add, messages } = reader()
    add(1_000, NOTHING, 0, SYN)
    add(1_001, one)
    add(1_000, NOTHING, 0, SYN)
    add(1_001, one)
    add(1_001 + one.length, NOTHING, 0, FIN)
    add(900, NOTHING, 0, SYN)
    add(901, two)
    expect(messages.map(([text]) => text)).toEqual([String(one), String(two)])
  })

  test('a keep-alive, which repeats the byte before, changes nothing', () => {
    const { add, messages, unread, end } = reader()
    add(5_000, one)
    add(5_000 + one.length - 1, Buffer.from([0]))
    add(5_000 + one.length, two)
    end()
    expect(messages.map(([text]) => text)).toEqual([String(one), String(two)])
    expect(unread).toEqual([])
  })

  test('what waits is bounded over all connections', () => {
    const unread: string[] = []
    const streams = new TcpStreams({ onMessage: () => {}, onUnread: (reason) => unread.push(reason) })
    for (let port = 1; port <= 400; port++) {
      const route = { ...ROUTE, sourcePort: port }
      streams.add(ENDS, tcp(route, 0, NOTHING, SYN), 0)
      for (let at = 0; at < 4; at++)
        streams.add(ENDS, tcp(route, 100_000 * (at + 1), Buffer.alloc(60_000)), 0)
    }
    // 64 MiB hold 279 of them.
    expect(unread.filter((reason) => reason === 'tcp_evicted').length).toBe(400 - 279)
  })
})
