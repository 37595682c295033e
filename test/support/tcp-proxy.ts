/**
 * A wire between a client and a server on loopback that loses answers: a request that matches goes through, what the server
 * says to it does not come back. The server has done it, and nobody is told.
 *
 *   const proxy = await TcpProxy.start()        // clients use proxy.port
 *   proxy.serverPort = 9092
 *   proxy.loseAnswers(isProduce, 'cut', 3)      // three connections are cut in place of an answer
 *   proxy.lost                                  // how many answers were lost so far
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Cut: the connection is reset in place of the answer. Swallow: it stays, and nothing comes back through it any more. */
export type Loss = 'cut' | 'swallow'

/** Looks at what a client sends at a time, which begins with a request. */
export type IsRequest = (bytes: Buffer) => boolean

export class TcpProxy {
  /** Where connections go that are made from now on. */
  serverPort = 0
  lost = 0
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()
  #isLost: IsRequest = () => false
  #loss: Loss = 'cut'
  #losses = 0

  private constructor(listener: Server) {
    this.#listener = listener
    listener.on('connection', (client) => this.#carry(client))
  }

  static async start(): Promise<TcpProxy> {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new TcpProxy(listener)
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port
  }

  /** The answers to the next `count` requests that match, from now on. */
  loseAnswers(isLost: IsRequest, loss: Loss, count: number): void {
    this.#isLost = isLost
    this.#loss = loss
    this.#losses = count
  }

  async stop(): Promise<void> {
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #carry(client: Socket): void {
    const server = connect(this.serverPort, '127.0.0.1')
    const both = [client, server]
    const end = () => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    let fate: Loss | undefined
    client.on('data', (bytes: Buffer) => {
      if (fate === undefined && this.#losses > 0 && this.#isLost(bytes)) {
        this.#losses--
        fate = this.#loss
      }
      if (!server.write(bytes)) pauseUntilDrained(client, server)
    })
    let isLost = false
    server.on('data', (bytes: Buffer) => {
      if (fate === undefined) {
        if (!client.write(bytes)) pauseUntilDrained(server, client)
        return
      }
      if (!isLost) this.lost++
      isLost = true
      if (fate === 'cut') client.resetAndDestroy()
    })
  }
}

function pauseUntilDrained(from: Socket, to: Socket): void {
  from.pause()
  to.once('drain', () => from.resume())
}

/**
 * A Kafka request: length(int32) api_key(int16) api_version(int16) …; Produce is 0, OffsetCommit 8.
 * Source https://kafka.apache.org/protocol.html#protocol_api_keys
 */
export const isKafkaRequest =
  (apiKey: number): IsRequest =>
  (bytes) =>
    bytes.length >= 8 &&
    bytes.readInt32BE(0) < 100_000_000 &&
    bytes.readInt16BE(4) === apiKey &&
    bytes[6] === 0

/** An insert over ClickHouse's HTTP interface: its text is in the path of the request. */
export const isInsert: IsRequest = (bytes) =>
  /^POST \S*query=INSERT/i.test(bytes.toString('latin1', 0, 4_096))
