import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CapturedMessage, PcapMessages } from '../../sip/pcap-messages.js'
import { pcapOf } from '../../sip/pcap-writer.js'
import { needs } from '../support/outside-programs.js'
import { ROUTE, ROUTE6, sip } from '../support/packets.js'

const AT_US = 1_795_176_000_000_000

function read(file: Buffer) {
  const messages: CapturedMessage[] = []
  const reader = new PcapMessages((message) => messages.push(message))
  reader.push(file)
  reader.end()
  return { messages, unread: Object.fromEntries(reader.unread) }
}

const message = (changes: Partial<CapturedMessage> = {}, route = ROUTE): CapturedMessage => ({
  sourceAddress: route.source,
  sourcePort: route.sourcePort,
  destinationAddress: route.destination,
  destinationPort: route.destinationPort,
  capturedAtUs: AT_US,
  ipProtocol: 17,
  payload: sip('one'),
  ...changes,
})

const turned = ({ source, sourcePort, destination, destinationPort }: typeof ROUTE) => ({
  source: destination,
  sourcePort: destinationPort,
  destination: source,
  destinationPort: sourcePort,
})

const anyCall = fc.array(
  fc
    .record({
      route: fc.constantFrom(ROUTE, ROUTE6, turned(ROUTE), turned(ROUTE6)),
      ipProtocol: fc.constantFrom(6, 17),
      bodyLength: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1_000, max: 9_000 })),
      atUs: fc.integer({ min: 0, max: 2 ** 31 * 1e6 }),
    })
    .map(({ route, ipProtocol, bodyLength, atUs }) =>
      message({ ipProtocol, capturedAtUs: atUs, payload: sip('any', 'x'.repeat(bodyLength)) }, route),
    ),
  { minLength: 1, maxLength: 12 },
)

describe('pcap writer', () => {
  test('what is written is read again, over UDP and TCP, IPv4 and IPv6, to the microsecond', () => {
    fc.assert(
      fc.property(anyCall, (messages) => {
        expect(read(Buffer.concat([...pcapOf(messages)]))).toEqual({ messages, unread: {} })
      }),
      { numRuns: 100 },
    )
  })

  test('two files that are made part by part side by side are each whole: the numbers of a connection are of its file', () => {
    const calls = Array.from({ length: 20 }, (_, at) =>
      message({ ipProtocol: 6, payload: sip(`call-${at}`, 'x'.repeat(200 * at)) }),
    )
    const [one, other] = [pcapOf(calls), pcapOf(calls.slice(5))]
    const parts: [Buffer[], Buffer[]] = [[], []]
    for (const part of one) {
      parts[0].push(part)
      const { value } = other.next()
      if (value !== undefined) parts[1].push(value)
    }
    expect(read(Buffer.concat(parts[0]))).toEqual({ messages: calls, unread: {} })
    expect(read(Buffer.concat(parts[1]))).toEqual({ messages: calls.slice(5), unread: {} })
  })

  test('a message over TCP that is cut leaves room for what is missing, so that the next one is found', () => {
    const cut = sip('cut', 'x'.repeat(500)).subarray(0, 400)
    const next = message({ ipProtocol: 6, payload: sip('next') })
    const found = read(Buffer.concat([...pcapOf([message({ ipProtocol: 6, payload: cut }), next])]))
    expect(found).toEqual({ messages: [next], unread: { tcp_gap: 1 } })
  })

  test('ends that nobody told, other protocols and messages beyond a datagram are written too', () => {
    const strange = [
      message({ sourceAddress: '', ipProtocol: 0 }),
      message({ destinationAddress: '2001:db8::1', ipProtocol: 132 }),
      message({ ipProtocol: 22 }),
      message({ payload: sip('long', 'x'.repeat(66_000)) }),
    ]
    const { messages } = read(Buffer.concat([...pcapOf(strange)]))
    const heads = messages.map((found) => [found.sourceAddress, found.destinationAddress, found.ipProtocol])
    expect(heads).toEqual([
      ['0.0.0.0', ROUTE.destination, 17],
      [ROUTE.source, '2001:db8::1', 17],
      [ROUTE.source, ROUTE.destination, 6],
      [ROUTE.source, ROUTE.destination, 17],
    ])
    expect(messages[3]!.payload.length).toBe(65_507)
  })
})

describe('programs of others', () => {
  const tried = needs('tshark', 'text2pcap', 'editcap', 'mergecap')
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trunkscope-writer-'))
  })
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const quiet = { stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] }

  tried('tshark reads it: the same messages, whole over several segments, with right checksums', () => {
    const long = sip('long', 'x'.repeat(5_001))
    const calls = [ROUTE, ROUTE6].flatMap((route) =>
      [6, 17].map((ipProtocol) =>
        message({ ipProtocol, payload: long, capturedAtUs: AT_US + ipProtocol }, route),
      ),
    )
    const file = join(folder, 'written.pcap')
    writeFileSync(file, Buffer.concat([...pcapOf([...calls, ...calls])]))
    const checks = ['udp', 'tcp', 'ip'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`])
    const ask = (filter: string, ...fields: string[]) =>
      execFileSync(
        'tshark',
        ['-r', file, ...checks, '-Y', filter, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
        quiet,
      )
        .toString()
        .trim()
        .split('\n')
    const ends = (family: string) =>
      ask(`sip && ${family}`, 'sip.Method', 'sip.Call-ID', 'sip.Content-Length')
    expect(ends('ip')).toEqual(Array(4).fill('INVITE\tlong\t5001'))
    expect(ends('ipv6')).toEqual(Array(4).fill('INVITE\tlong\t5001'))
    expect(
      ask('tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0', 'frame.number'),
    ).toEqual([''])
    expect(ask('_ws.malformed || tcp.analysis.flags', 'frame.number')).toEqual([''])
  })

  tried(
    'files that text2pcap, editcap and mergecap make are read: Ethernet and raw IP, pcap and pcapng',
    () => {
      const payload = sip('hex', 'x'.repeat(300))
      const text = join(folder, 'hex.txt')
      const line = (at: number) =>
        `${at.toString(16).padStart(6, '0')} ${payload
          .subarray(at, at + 16)
          .toString('hex')
          .replace(/../g, '$& ')}`
      const lines = Array.from({ length: Math.ceil(payload.length / 16) }, (_, index) => line(16 * index))
      writeFileSync(text, `${lines.join('\n')}\n`)
      const [udpFile, tcpFile, merged] = ['udp.pcap', 'tcp.pcapng', 'merged.pcapng'].map((name) =>
        join(folder, name),
      )
      execFileSync(
        'text2pcap',
        ['-F', 'pcap', '-u', '5060,5061', '-4', '192.0.2.1,192.0.2.2', text, udpFile!],
        quiet,
      )
      execFileSync(
        'text2pcap',
        ['-F', 'pcapng', '-T', '5060,5061', '-6', '2001:db8::1,2001:db8::2', text, tcpFile!],
        quiet,
      )
      execFileSync('mergecap', ['-F', 'pcapng', '-w', merged!, udpFile!, tcpFile!], quiet)
      const shifted = join(folder, 'shifted.pcap')
      execFileSync('editcap', ['-F', 'nsecpcap', '-t', '10', merged!, shifted], quiet)
      const ends = [
        ['192.0.2.1', '192.0.2.2', 5060, 5061, 17, String(payload)],
        ['2001:db8::1', '2001:db8::2', 5060, 5061, 6, String(payload)],
      ]
      for (const [file, wanted] of [
        [udpFile!, [ends[0]]],
        [tcpFile!, [ends[1]]],
        [merged!, ends],
        [shifted, ends],
      ] as const) {
        const { messages, unread } = read(readFileSync(file))
        const told = messages.map((found) => [
          ...[found.sourceAddress, found.destinationAddress, found.sourcePort, found.destinationPort],
          ...[found.ipProtocol, String(found.payload)],
        ])
        expect([file, told.sort(), unread]).toEqual([file, [...wanted].sort(), {}])
      }
    },
  )
})
