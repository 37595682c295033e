/** A collector's ears: what comes over TCP and UDP, kept as it came. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Destination } from '../../../bin/demo/send.js'

export async function tcpSink(options: { pauseMs?: number; closeAfterBytes?: number } = {}) {
  const chunks: Buffer[] = []
  let bytes = 0
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    connections++
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= (options.closeAfterBytes ?? Infinity)) socket.destroy()
      if (options.pauseMs === undefined) return
      socket.pause()
      setTimeout(() => socket.resume(), options.pauseMs)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const to: Destination = { transport: 'tcp', host: '127.0.0.1', port }
  return {
    to,
    received: () => Buffer.concat(chunks),
    connections: () => connections,
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export async function udpSink() {
  const datagrams: Buffer[] = []
  const socket = createSocket('udp4')
  socket.on('message', (datagram) => datagrams.push(datagram))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.setRecvBufferSize(4_194_304)
  const to: Destination = { transport: 'udp', host: '127.0.0.1', port: socket.address().port }
  return {
    to,
    datagrams,
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** Waits until it is so; the test's own time limit ends a wait in vain. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
