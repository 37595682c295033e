/**
 * Datagrams the kernel dropped because a socket's receive buffer was full: the `drops` column of /proc/net/udp and
 * /proc/net/udp6, for the socket with our port and our inode. Elsewhere than on Linux there is no such number.
 *
 *   sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer drops
 *
 * Source   faults.md §2.1.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface SocketRow {
  port: number
  inode: number
  /** Bytes that wait in the receive buffer. */
  queuedBytes: number
  drops: number
}

export function parseUdpTable(text: string): SocketRow[] {
  const rows: SocketRow[] = []
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/)
    if (fields.length < 13) continue
    const [, port] = fields[1]!.split(':')
    const [, queued] = fields[4]!.split(':')
    rows.push({
      port: Number.parseInt(port ?? '', 16),
      inode: Number(fields[9]),
      queuedBytes: Number.parseInt(queued ?? '', 16),
      drops: Number(fields[12]),
    })
  }
  return rows
}

/** Inodes of the sockets this process has open; empty where /proc does not tell. */
export function ownSocketInodes(): Set<number> {
  const inodes = new Set<number>()
  try {
    for (const name of readdirSync('/proc/self/fd')) {
      try {
        const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${name}`))
        if (match !== null) inodes.add(Number(match[1]))
      } catch {
        // Closed since the listing.
      }
    }
  } catch {
    // No /proc.
  }
  return inodes
}

/** Follows the drops of one bound socket. */
export class KernelDrops {
  readonly #table: string
  readonly #port: number
  #inode: number | undefined

  constructor(family: 'IPv4' | 'IPv6', port: number) {
    this.#table = family === 'IPv6' ? '/proc/net/udp6' : '/proc/net/udp'
    this.#port = port
    const own = ownSocketInodes()
    this.#inode = this.#rows().find((row) => row.port === port && own.has(row.inode))?.inode
  }

  /** The socket's row; undefined where the system does not tell. Drops count from when the socket was made. */
  read(): SocketRow | undefined {
    const rows = this.#rows().filter((row) => row.port === this.#port)
    return this.#inode === undefined ? rows[0] : rows.find((row) => row.inode === this.#inode)
  }

  #rows(): SocketRow[] {
    try {
      return parseUdpTable(readFileSync(this.#table, 'latin1'))
    } catch {
      return []
    }
  }
}
