/**
 * HEP over TCP: a listener that hands its connections to the agents' streams.
 *
 * Throws   `listenTcp` rejects with TRUNKSCOPE_CAPTURE_PORT_IN_USE or TRUNKSCOPE_CAPTURE_BIND_FAILED.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { bindError } from './capture-error.js'
import type { BoundAddress, FrameIntake, StreamTransport } from './frames.js'
import type { AgentStreams } from './streams.js'

export interface ListenerOptions extends BoundAddress {
  streams: AgentStreams
  intake: FrameIntake
  onNotice: (sentence: string) => void
}

export class TcpListener {
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
  }

  get bound(): BoundAddress {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('The TCP server is not bound.')
    return { host: address.address, port: address.port }
  }

  /** Takes no new connections; resolves when the old ones have ended. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

export function listenTcp(options: ListenerOptions): Promise<TcpListener> {
  const { streams } = options
  return listenForStreams(options, 'tcp', '--hep-tcp', (socket) => {
    const connection = streams.admit(socket, 'tcp')
    if (connection !== undefined) streams.read(connection, socket)
  })
}

/** Binds a server for TCP connections, whatever is spoken on them. */
export async function listenForStreams(
  { host, port, intake, onNotice }: ListenerOptions,
  transport: StreamTransport,
  option: string,
  onConnection: (socket: Socket) => void,
): Promise<TcpListener> {
  const server = createServer(onConnection)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(bindError(error, 'TCP', host, port, option)))
    server.listen({ host, port, exclusive: true, backlog: 1_024 }, () => resolve())
  })
  server.removeAllListeners('error')
  server.on('error', (error) => {
    intake.refuse('connection_limit', transport, '', Buffer.alloc(0))
    onNotice(`A TCP connection could not be accepted: ${error.message}.`)
  })
  return new TcpListener(server)
}
