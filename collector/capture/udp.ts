/**
 * HEP over UDP: one datagram is one frame.
 *
 * The kernel's receive buffer is all that stands between a busy moment of this process and a lost datagram, so a
 * large one is asked for and what was granted is read back (the kernel caps it in silence: `net.core.rmem_max`).
 * What overflowed it is counted by the kernel and read from there.
 *
 * Throws   `listenUdp` rejects with TRUNKSCOPE_CAPTURE_PORT_IN_USE or TRUNKSCOPE_CAPTURE_BIND_FAILED.
 * Source   faults.md §2.1, metrics.md §13.1.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { bindError } from './capture-error.js'
import { type BoundAddress, type FrameIntake, plainAddress } from './frames.js'
import { KernelDrops } from './kernel-drops.js'

export interface UdpOptions extends BoundAddress {
  receiveBufferBytes: number
  intake: FrameIntake
  /** An error of the socket after it was bound: unusual, and not the end of it. */
  onNotice: (sentence: string) => void
}

const DRAIN_TURNS_MAX = 1_000

export class UdpReceiver {
  /** As Linux counts it: twice what was set, for its own bookkeeping. */
  readonly receiveBufferGrantedBytes: number
  readonly bound: BoundAddress
  readonly #socket: Socket
  readonly #drops: KernelDrops
  #lastDrops = 0

  constructor(socket: Socket) {
    const { address, family, port } = socket.address()
    this.#socket = socket
    this.bound = { host: address, port }
    this.receiveBufferGrantedBytes = socket.getRecvBufferSize()
    this.#drops = new KernelDrops(family as 'IPv4' | 'IPv6', port)
  }

  /** Datagrams the kernel has dropped since the last call. */
  takeKernelDrops(): number {
    const row = this.#drops.read()
    if (row === undefined) return 0
    const dropped = (row.drops - this.#lastDrops) >>> 0 // The kernel's counter has 32 bits.
    this.#lastDrops = row.drops
    return dropped
  }

  /** Reads what is still queued, as far as senders that go on let it, then closes. Returns the last drops. */
  async close(): Promise<number> {
    for (let turn = 0; turn < DRAIN_TURNS_MAX && (this.#drops.read()?.queuedBytes ?? 0) > 0; turn++) {
      await setImmediate()
    }
    const dropped = this.takeKernelDrops()
    this.#socket.close()
    await once(this.#socket, 'close')
    return dropped
  }
}

export async function listenUdp(options: UdpOptions): Promise<UdpReceiver> {
  const { host, port, intake, onNotice, receiveBufferBytes } = options
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' })
  socket.on('message', (datagram, agent) => {
    const address = plainAddress(agent.address)
    if (intake.isAllowed(address)) intake.take(datagram, 0, datagram.length, 'udp', address)
    else intake.refuse('address_not_allowed', 'udp', address, datagram)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close()
      reject(bindError(error, 'UDP', host, port, '--hep-udp'))
    })
    socket.bind({ address: host, port, exclusive: true }, () => resolve())
  })
  socket.removeAllListeners('error')
  socket.on('error', (error) => onNotice(`The UDP socket reported: ${error.message}.`))
  try {
    socket.setRecvBufferSize(receiveBufferBytes)
  } catch (error) {
    onNotice(
      `The UDP receive buffer could not be set to ${receiveBufferBytes} bytes: ${(error as Error).message}.`,
    )
  }
  return new UdpReceiver(socket)
}
