import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { KernelDrops, ownSocketInodes, parseUdpTable } from '../../../collector/capture/kernel-drops.js'

const IPV4_TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  123: 00000000:2364 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41234 2 0000000000000000 17
  124: 0100007F:2364 00000000:0000 07 00000000:0000A400 00:00000000 00000000  1000        0 41235 2 ffff8881 4294967295
`
const IPV6_TABLE = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  201: 00000000000000000000000000000000:2364 00000000000000000000000000000000:0000 07 00000000:00000300 00:00000000 00000000     0        0 51234 2 0000000000000000 5
`

describe('kernel drops', () => {
  test('the drops of each socket are read from /proc/net/udp and /proc/net/udp6', () => {
    expect(parseUdpTable(IPV4_TABLE)).toEqual([
      { port: 9060, inode: 41_234, queuedBytes: 0, drops: 17 },
      { port: 9060, inode: 41_235, queuedBytes: 41_984, drops: 4_294_967_295 },
    ])
    expect(parseUdpTable(IPV6_TABLE)).toEqual([{ port: 9060, inode: 51_234, queuedBytes: 768, drops: 5 }])
  })

  test('an empty or foreign table gives no rows', () => {
    expect(parseUdpTable('')).toEqual([])
    expect(parseUdpTable('  sl\nnonsense\n')).toEqual([])
  })

  test('of several sockets on one port ours is found by its inode, with IPv4 and with IPv6', async (context) => {
    if (!existsSync('/proc/net/udp')) context.skip('not run: no /proc/net/udp on this system')
    for (const [type, host, other] of [
      ['udp4', '127.0.0.1', '127.0.0.2'],
      ['udp6', '::1', undefined],
    ] as const) {
      const socket = createSocket(type)
      const neighbour = createSocket('udp4')
      socket.bind(0, host)
      await once(socket, 'listening')
      const { family, port } = socket.address()
      if (other !== undefined) {
        neighbour.bind(port, other)
        await once(neighbour, 'listening')
      }
      const row = new KernelDrops(family as 'IPv4' | 'IPv6', port).read()
      expect(row).toMatchObject({ port, drops: 0 })
      expect(ownSocketInodes()).toContain(row!.inode)
      socket.close()
      neighbour.close()
    }
  })

  test('a socket that is gone gives no number', () => {
    expect(new KernelDrops('IPv4', 1).read()).toBeUndefined()
  })
})
