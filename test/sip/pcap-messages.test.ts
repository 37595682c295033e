import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FILE_REASONS, PACKET_REASONS } from '../../schemas/pcap-reasons.js'
import { type CapturedMessage, PcapMessages } from '../../sip/pcap-messages.js'
import { readSip } from '../../sip/sip-message.js'
import {
  Blocks,
  type Captured,
  datagram,
  FIN,
  fragmentsOf,
  ip,
  pcap,
  ROUTE,
  ROUTE6,
  SYN,
  sip,
  tcp,
  udp,
} from '../support/packets.js'

const AT_US = 1_795_176_000_123_456

interface Read {
  messages: CapturedMessage[]
  unread: Record<string, number>
  refusal: string
}

function read(file: Buffer, sizes: Iterable<number> = [file.length]): Read {
  const messages: CapturedMessage[] = []
  const reader = new PcapMessages((message) => messages.push(message))
  let at = 0
  for (const size of sizes) {
    reader.push(file.subarray(at, at + size))
    at += size
  }
  reader.push(file.subarray(at))
  const refusal = reader.end()
  return { messages, unread: Object.fromEntries(reader.unread), refusal }
}

const ofPackets = (...packets: Buffer[]) =>
  read(pcap(packets.map((bytes, index) => ({ atUs: AT_US + index, bytes }))))
const textsOf = ({ messages }: Read) => messages.map(({ payload }) => payload.toString())

/** Slices of a text, as segments: where each begins, and what of it; overlaps and repeats are wanted. */
const anySegments = (length: number) =>
  fc
    .array(fc.tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 400 })), { maxLength: 8 })
    .chain((extra) => {
      const whole: [number, number][] = []
      for (let at = 0; at < length; at += 300) whole.push([at, 300])
      return fc.shuffledSubarray([...whole, ...extra], { minLength: whole.length + extra.length })
    })

describe('messages of a capture', () => {
  test('a datagram gives its message with ends and time, over IPv4 and IPv6', () => {
    for (const route of [ROUTE, ROUTE6]) {
      const payload = sip('one')
      expect(read(pcap([{ atUs: AT_US, bytes: datagram(payload, route) }]))).toEqual({
        messages: [
          {
            sourceAddress: route.source,
            sourcePort: 5060,
            destinationAddress: route.destination,
            destinationPort: 5070,
            capturedAtUs: AT_US,
            ipProtocol: 17,
            payload,
          },
        ],
        unread: {},
        refusal: '',
      })
    }
  })

  test('what is no SIP is counted by its reason', () => {
    const found = ofPackets(
      datagram(Buffer.from('\r\n\r\n')),
      datagram(Buffer.alloc(0)),
      datagram(Buffer.from([0x80, 0, 1, 2, 3, 4, 5, 6])),
      ip(ROUTE, 1, Buffer.alloc(8)),
      ip(ROUTE, 17, Buffer.alloc(3)),
      ip(ROUTE, 6, Buffer.alloc(3)),
      Buffer.from([0x45, 0]),
      Buffer.from([0x20]),
      Buffer.alloc(0),
    )
    expect(found).toEqual({
      messages: [],
      unread: {
        keepalive: 2,
        not_sip: 1,
        not_udp_or_tcp: 1,
        udp_damaged: 1,
        tcp_damaged: 1,
        ip_damaged: 1,
        not_ip: 1,
        link_cut: 1,
      },
      refusal: '',
    })
  })

  test('a datagram of which the capture kept the beginning is handed over as far as it goes', () => {
    const bytes = datagram(sip('cut', 'x'.repeat(500)))
    const found = read(pcap([{ atUs: AT_US, bytes: bytes.subarray(0, 400), originalLength: bytes.length }]))
    expect(found.messages[0]!.payload.length).toBe(400 - 24 - 8)
    expect(found.unread).toEqual({ packet_cut: 1 })
  })

  test('fragments give their datagram in any order, repeated, and between those of others', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(ROUTE, ROUTE6),
        fc.integer({ min: 8, max: 900 }),
        fc.infiniteStream(fc.nat(1_000)),
        (route, size, order) => {
          const whole = [sip('first', 'a'.repeat(1_500)), sip('other', 'b'.repeat(700))]
          const parts = whole.flatMap((payload, id) => fragmentsOf(route, 17, udp(route, payload), size, id))
          const mixed = [...parts, ...parts]
            .map((bytes) => ({ bytes, rank: order.next().value as number }))
            .sort((a, b) => a.rank - b.rank)
            .map(({ bytes }) => bytes)
          const texts = new Set(textsOf(ofPackets(...mixed)))
          expect(texts).toEqual(new Set(whole.map(String)))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('a datagram of which a fragment is missing is counted', () => {
    const [, ...rest] = fragmentsOf(ROUTE, 17, udp(ROUTE, sip('lost', 'x'.repeat(900))), 400)
    expect(ofPackets(...rest)).toEqual({ messages: [], unread: { fragment_missing: 1 }, refusal: '' })
  })

  test('segments give their messages in any order behind the SYN, overlapping and repeated, across the wrap of numbers', () => {
    const wanted = [sip('m1'), sip('m2', 'v=0\r\n'.repeat(90)), sip('m3'), sip('m4', '\r\n\r\n')]
    const stream = Buffer.concat(wanted.flatMap((message) => [message, Buffer.from('\r\n\r\n')]))
    fc.assert(
      fc.property(
        fc.constantFrom(ROUTE, ROUTE6),
        fc.constantFrom(0, 77, 0xffff_ff00, 0x7fff_ff00),
        anySegments(stream.length),
        (route, first, segments) => {
          const found = ofPackets(
            ip(route, 6, tcp(route, first, Buffer.alloc(0), SYN)),
            ...segments.map(([at, size]) =>
              ip(route, 6, tcp(route, first + 1 + at, stream.subarray(at, at + size))),
            ),
            ip(route, 6, tcp(route, first + 1 + stream.length, Buffer.alloc(0), FIN)),
          )
          expect(textsOf(found)).toEqual(wanted.map(String))
          expect(found.unread).toEqual({})
        },
      ),
      { numRuns: 60 },
    )
  })

  test('a connection captured from its middle is read from the next message on', () => {
    const stream = Buffer.concat([sip('gone', 'body\r\n'.repeat(20)), sip('next')])
    const found = ofPackets(ip(ROUTE, 6, tcp(ROUTE, 5_000, stream.subarray(100))))
    expect(textsOf(found)).toEqual([String(sip('next'))])
    expect(found.unread).toEqual({ tcp_not_sip: 1 })
  })

  test('a segment that was not captured costs its messages and no other', () => {
    const parts = [sip('one'), sip('two', 'x'.repeat(100)), sip('three')]
    const at = [0, parts[0]!.length + 40, parts[0]!.length + parts[1]!.length]
    const found = ofPackets(
      ip(ROUTE, 6, tcp(ROUTE, 100, parts[0]!)),
      ip(ROUTE, 6, tcp(ROUTE, 100 + at[1]!, parts[1]!.subarray(40))),
      ip(ROUTE, 6, tcp(ROUTE, 100 + at[2]!, parts[2]!)),
    )
    expect(textsOf(found)).toEqual([String(parts[0]), String(parts[2])])
    expect(found.unread).toEqual({ tcp_gap: 1, tcp_not_sip: 2 })
  })

  test('a new connection between the same ends begins anew', () => {
    const found = ofPackets(
      ip(ROUTE, 6, tcp(ROUTE, 100, Buffer.alloc(0), SYN)),
      ip(ROUTE, 6, tcp(ROUTE, 101, sip('one'))),
      ip(ROUTE, 6, tcp(ROUTE, 101 + sip('one').length, Buffer.alloc(0), FIN)),
      ip(ROUTE, 6, tcp(ROUTE, 101, sip('one'))),
      ip(ROUTE, 6, tcp(ROUTE, 90, Buffer.alloc(0), SYN)),
      ip(ROUTE, 6, tcp(ROUTE, 91, sip('two'))),
    )
    expect(textsOf(found)).toEqual([String(sip('one')), String(sip('two'))])
  })

  test('the time of a message over TCP is that of the packet that made it whole', () => {
    const payload = sip('slow', 'x'.repeat(600))
    const cut = [0, 200, 400, payload.length]
    const segment = (index: number) =>
      ip(ROUTE, 6, tcp(ROUTE, 101 + cut[index]!, payload.subarray(cut[index]!, cut[index + 1]!)))
    const found = ofPackets(
      ip(ROUTE, 6, tcp(ROUTE, 100, Buffer.alloc(0), SYN)),
      segment(0),
      segment(2),
      segment(1),
    )
    expect(found.messages.map(({ capturedAtUs, ipProtocol }) => [capturedAtUs - AT_US, ipProtocol])).toEqual([
      [3, 6],
    ])
  })

  test('a message that the capture cuts off is counted', () => {
    expect(ofPackets(ip(ROUTE, 6, tcp(ROUTE, 1, sip('x').subarray(0, 80)))).unread).toEqual({
      message_cut: 1,
    })
  })

  test('a stranger that opens connections without end is bounded in memory', () => {
    const reader = new PcapMessages(() => {})
    const begun = sip('endless', 'x'.repeat(60_000)).subarray(0, 1_000)
    const packets: Captured[] = Array.from({ length: 21_000 }, (_, index) => ({
      atUs: AT_US,
      bytes: ip({ ...ROUTE, sourcePort: index & 0xffff }, 6, tcp({ ...ROUTE, sourcePort: index }, 1, begun)),
    }))
    reader.push(pcap(packets))
    reader.end()
    expect(reader.unread.get('tcp_evicted')).toBe(1_000)
    expect(reader.unread.get('message_cut')).toBe(21_000)
  })
})

describe('a capture of real TCP connections', () => {
  test.each(['ethernet', 'cooked'])('gives every message of four calls, and nothing unread: %s', (link) => {
    const file = readFileSync(new URL(`../fixtures/pcap/sipp-tcp-${link}.pcap`, import.meta.url))
    const { messages, unread, refusal } = read(file)
    const sent = messages.map(({ payload }) => readSip(payload))
    const count = (method: string, statusCode: number) =>
      sent.filter((message) => message.method === method && message.statusCode === statusCode).length
    expect([messages.length, unread, refusal]).toEqual([24, {}, ''])
    expect([count('INVITE', 0), count('', 180), count('', 200), count('ACK', 0), count('BYE', 0)]).toEqual([
      4, 4, 8, 4, 4,
    ])
    expect(sent.map(({ parseError, truncated }) => [parseError, truncated])).toEqual(
      Array(24).fill(['', false]),
    )
    expect(
      messages.every(({ ipProtocol, sourceAddress }) => ipProtocol === 6 && sourceAddress === '127.0.0.1'),
    ).toBe(true)
  })
})

describe('any file', () => {
  const packets = [
    datagram(sip('udp')),
    ...fragmentsOf(ROUTE6, 17, udp(ROUTE6, sip('fragments', 'x'.repeat(600))), 200),
    ip(ROUTE, 6, tcp(ROUTE, 100, Buffer.alloc(0), SYN)),
    ip(ROUTE, 6, tcp(ROUTE, 101, sip('tcp', 'x'.repeat(300)))),
  ].map((bytes, index) => ({ atUs: AT_US + index, bytes }))
  const blocks = new Blocks(false)
  const files = [
    pcap(packets),
    pcap(packets, { isLittleEndian: false, isNano: true }),
    Buffer.concat([
      blocks.section(),
      blocks.interface(101),
      ...packets.map(({ atUs, bytes }) => blocks.packet(0, BigInt(atUs), bytes)),
    ]),
  ]
  const reasons = new Set([...Object.keys(FILE_REASONS), ...Object.keys(PACKET_REASONS)])

  test('reads the same however it is cut into reads', () => {
    for (const file of files) {
      const whole = read(file)
      expect(whole.messages).toHaveLength(3)
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 }), (sizes) => {
          expect(read(file, sizes)).toEqual(whole)
        }),
        { numRuns: 30 },
      )
    }
  })

  test('cut anywhere gives every packet before the cut, and says that it was cut', () => {
    for (const file of files) {
      const whole = read(file).messages
      for (let length = 0; length < file.length; length += 11) {
        const { messages, refusal } = read(file.subarray(0, length))
        expect(messages).toEqual(whole.slice(0, messages.length))
        expect(['', 'file_cut', 'not_a_capture']).toContain(refusal)
        if (length < 4) expect(refusal).toBe('not_a_capture')
      }
    }
  })

  test('any bytes, and any file with bytes changed, give messages or a reason that is declared (fuzz)', () => {
    const changed = fc
      .tuple(fc.constantFrom(...files), fc.array(fc.tuple(fc.nat(3_000), fc.nat(255)), { maxLength: 12 }))
      .map(([file, changes]) => {
        const bytes = Buffer.from(file)
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
        return bytes
      })
    const noise = fc
      .tuple(fc.constantFrom(...files), fc.nat(60), fc.uint8Array({ maxLength: 400 }))
      .map(([file, kept, bytes]) => Buffer.concat([file.subarray(0, kept), bytes]))
    fc.assert(
      fc.property(fc.oneof(changed, noise), fc.array(fc.nat(200), { maxLength: 5 }), (file, sizes) => {
        const { unread, refusal } = read(file, sizes)
        for (const reason of [...Object.keys(unread), ...(refusal === '' ? [] : [refusal])]) {
          expect(reasons).toContain(reason)
        }
      }),
      { numRuns: 1_500 },
    )
  })
})
