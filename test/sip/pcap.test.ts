import { describe, expect, test } from 'vitest'
import { isPcap, PcapReader } from '../../sip/pcap.js'
import type { CapturedPacket } from '../../sip/pcap-packet.js'
import { Blocks, pcap, uint32s } from '../support/packets.js'

const AT_US = 1_795_176_000_123_456
const ONE = Buffer.from('one!')
const TWO = Buffer.from('packet two')

function read(file: Buffer) {
  const packets: CapturedPacket[] = []
  const unread: string[] = []
  const reader = new PcapReader({
    onPacket: (packet) => packets.push({ ...packet, bytes: Buffer.from(packet.bytes) }),
    onUnread: (reason) => unread.push(reason),
  })
  reader.push(file)
  return { packets, unread, refusal: reader.end() }
}

const packet = (bytes: Buffer, capturedAtUs = AT_US, linkType = 101) => ({
  linkType,
  capturedAtUs,
  bytes,
  originalLength: bytes.length,
})

describe('pcap', () => {
  test.each([
    [true, false],
    [false, false],
    [true, true],
    [false, true],
  ])(
    'is read in either byte order, with micro- and nanoseconds (little-endian %s, nano %s)',
    (isLittleEndian, isNano) => {
      const file = pcap(
        [
          { atUs: AT_US, bytes: ONE },
          { atUs: AT_US + 1, bytes: TWO },
        ],
        { isLittleEndian, isNano, linkType: 113 },
      )
      expect(isPcap(file)).toBe(true)
      expect(read(file)).toEqual({
        packets: [packet(ONE, AT_US, 113), packet(TWO, AT_US + 1, 113)],
        unread: [],
        refusal: '',
      })
    },
  )

  test('what is no capture, of another version, or claims a packet beyond all bounds, says so', () => {
    expect(read(Buffer.alloc(100)).refusal).toBe('not_a_capture')
    expect(read(Buffer.alloc(0)).refusal).toBe('not_a_capture')
    const other = pcap([])
    other[4] = 3
    expect(read(other).refusal).toBe('unsupported_version')
    const large = Buffer.concat([
      pcap([{ atUs: AT_US, bytes: ONE }]),
      uint32s([1, 1, 300_000, 300_000], true),
      ONE,
    ])
    expect(read(large)).toEqual({ packets: [packet(ONE)], unread: [], refusal: 'record_too_large' })
  })
})

describe('pcapng', () => {
  test.each([true, false])('is read in either byte order (little-endian %s)', (isLittleEndian) => {
    const blocks = new Blocks(isLittleEndian)
    const file = Buffer.concat([
      blocks.section(),
      blocks.interface(1),
      blocks.packet(0, BigInt(AT_US), ONE),
      blocks.packet(0, BigInt(AT_US + 5), TWO),
    ])
    expect(isPcap(file)).toBe(true)
    expect(read(file).packets).toEqual([packet(ONE, AT_US, 1), packet(TWO, AT_US + 5, 1)])
  })

  test('each interface has its link type, its resolution of times, and its offset', () => {
    const blocks = new Blocks(true)
    const second = Buffer.alloc(8)
    second.writeBigInt64LE(1n)
    const resolution = (value: number) => [[9, Buffer.from([value])]] as const
    const file = Buffer.concat([
      blocks.section(),
      blocks.interface(1, resolution(9)),
      blocks.interface(101, resolution(3)),
      blocks.interface(113, resolution(0x80 | 20)),
      blocks.interface(228, [
        [2, Buffer.from('eth0')],
        [14, second],
      ]),
      blocks.packet(0, BigInt(AT_US) * 1_000n + 999n, ONE),
      blocks.packet(1, BigInt(AT_US) / 1_000n, ONE),
      blocks.packet(2, 3n << 19n, ONE),
      blocks.packet(3, BigInt(AT_US), ONE),
      blocks.packet(1, 1n << 60n, ONE),
      blocks.packet(9, 0n, ONE),
    ])
    expect(read(file)).toEqual({
      packets: [
        packet(ONE, AT_US, 1),
        packet(ONE, AT_US - 456, 101),
        packet(ONE, 1_500_000, 113),
        packet(ONE, AT_US + 1e6, 228),
        packet(ONE, 0, 101),
      ],
      unread: ['bad_time', 'block_unknown_interface'],
      refusal: '',
    })
  })

  test('a section has its own byte order and interfaces; other blocks are skipped; a simple packet has no time', () => {
    const [little, big] = [new Blocks(true), new Blocks(false)]
    const file = Buffer.concat([
      little.section(),
      little.interface(1),
      little.packet(0, BigInt(AT_US), ONE),
      little.block(5, Buffer.alloc(400_000)),
      big.section(),
      big.interface(101),
      big.simplePacket(TWO),
      big.packet(1, BigInt(AT_US), ONE),
    ])
    expect(read(file)).toEqual({
      packets: [packet(ONE, AT_US, 1), packet(TWO, 0, 101)],
      unread: ['block_unknown_interface'],
      refusal: '',
    })
  })

  test('a packet of the older kind is read', () => {
    const blocks = new Blocks(true)
    const time = [Math.floor(AT_US / 2 ** 32), AT_US % 2 ** 32]
    const old = blocks.block(2, blocks.uint16(0, 3), blocks.uint32(...time, ONE.length, ONE.length), ONE)
    expect(read(Buffer.concat([blocks.section(), blocks.interface(1), old])).packets).toEqual([
      packet(ONE, AT_US, 1),
    ])
  })

  test('a block whose lengths differ or cannot be ends the reading; one that is too large is skipped', () => {
    const blocks = new Blocks(true)
    const good = Buffer.concat([
      blocks.section(),
      blocks.interface(101),
      blocks.packet(0, BigInt(AT_US), ONE),
    ])
    const differs = blocks.packet(0, 0n, TWO)
    differs[differs.length - 4]!++
    expect(read(Buffer.concat([good, differs]))).toMatchObject({
      packets: [packet(ONE)],
      refusal: 'block_damaged',
    })
    expect(read(Buffer.concat([good, blocks.uint32(6, 13, 0)])).refusal).toBe('block_damaged')
    expect(read(Buffer.concat([good, blocks.uint32(6, 8, 0)])).refusal).toBe('block_damaged')
    const large = blocks.packet(0, 0n, Buffer.alloc(400_000))
    expect(read(Buffer.concat([good, large, blocks.packet(0, BigInt(AT_US), TWO)]))).toEqual({
      packets: [packet(ONE), packet(TWO)],
      unread: ['block_too_large'],
      refusal: '',
    })
    expect(read(Buffer.concat([good, large.subarray(0, 1_000)])).refusal).toBe('file_cut')
  })
})
