import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SipStreamReader } from '../../sip/sip-stream.js'
import { sip } from '../support/packets.js'

function read(...reads: Buffer[]) {
  const messages: string[] = []
  const unread: string[] = []
  const times: number[] = []
  const reader = new SipStreamReader({
    onMessage: (payload, atUs) => {
      messages.push(payload.toString())
      times.push(atUs)
    },
    onUnread: (reason) => unread.push(reason),
  })
  reads.forEach((bytes, index) => {
    reader.push(bytes, index)
  })
  return { messages, times, unread, isInMessage: reader.isInMessage, heldBytes: reader.heldBytes }
}

const ok = Buffer.from('SIP/2.0 200 OK\r\nCall-ID: one\r\nl : 5\r\n\r\nhello')

describe('sip stream', () => {
  test('messages are told apart by Content-Length, its compact form, and keep-alives between them are left out', () => {
    const bytes = Buffer.concat([
      Buffer.from('\r\n\r\n'),
      sip('a', 'v=0\r\n'),
      ok,
      Buffer.from('\r\n\r\n'),
      ok,
    ])
    expect(read(bytes)).toMatchObject({
      messages: [sip('a', 'v=0\r\n'), ok, ok].map(String),
      unread: [],
      isInMessage: false,
      heldBytes: 0,
    })
  })

  test('however the bytes are cut into reads, the messages are the same, each with the time of its last read', () => {
    const parts = [sip('a', 'SIP/2.0 200 OK\r\n\r\n'), ok, sip('b', 'x'.repeat(2_000))]
    const stream = Buffer.concat(parts)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), (sizes) => {
        const reads: Buffer[] = []
        for (let at = 0, index = 0; at < stream.length; index++) {
          const size = sizes[index % sizes.length]!
          reads.push(stream.subarray(at, at + size))
          at += size
        }
        const { messages, times, unread } = read(...reads)
        expect(messages).toEqual(parts.map(String))
        expect(unread).toEqual([])
        expect(times.at(-1)).toBe(reads.length - 1)
      }),
      { numRuns: 100 },
    )
  })

  test('a message without Content-Length ends with its headers', () => {
    const bare = Buffer.from('OPTIONS sip:a SIP/2.0\nCall-ID: x\n\n')
    expect(read(Buffer.concat([bare, ok])).messages).toEqual([String(bare), String(ok)])
  })

  test('what begins no message is left out up to the next line that does', () => {
    const { messages, unread } = read(
      Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
      Buffer.from('oops\r\n'),
      ok,
    )
    expect(messages).toEqual([String(ok)])
    expect(unread).toEqual(['tcp_not_sip', 'tcp_not_sip'])
  })

  test('a message that claims too much is left out, and what follows is read', () => {
    const large = Buffer.from('SIP/2.0 200 OK\r\nContent-Length: 99999\r\n\r\nbody\r\n')
    const { messages, unread } = read(Buffer.concat([large, ok]))
    expect(messages).toEqual([String(ok)])
    expect(unread).toContain('message_too_large')
  })

  test('headers without an end, and lines without one, do not grow without bound', () => {
    const endless = Buffer.from(`A: ${'x'.repeat(996)}\n`)
    const headers = read(ok.subarray(0, 16), ...Array<Buffer>(500).fill(endless))
    expect(headers.unread).toContain('message_too_large')
    expect(headers.heldBytes).toBeLessThan(200_000)
    const line = read(...Array<Buffer>(500).fill(Buffer.alloc(1_000, 'x')))
    expect(line.heldBytes).toBeLessThan(200_000)
    const lineOfWords = read(Buffer.from('A '), ...Array<Buffer>(500).fill(Buffer.alloc(1_000, 'x')))
    expect(lineOfWords.heldBytes).toBeLessThan(200_000)
  })
})
