/** Something that takes what a sink is sent: an HTTP server on loopback that keeps every request and answers as it is told. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

export type Behaviour = (request: Received, response: ServerResponse, number: number) => void

export const answer =
  (status: number, headers: Record<string, string> = {}, body = ''): Behaviour =>
  (_request, response) => {
    response.writeHead(status, headers).end(body)
  }

export class Receiver {
  readonly requests: Received[] = []
  behaviour: Behaviour = answer(200)
  readonly #server: Server
  readonly #waiting: { count: number; resolve: () => void }[] = []

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const received = {
          path: request.url ?? '',
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }
        this.requests.push(received)
        this.behaviour(received, response, this.requests.length)
        for (const { count, resolve } of this.#waiting) if (this.requests.length >= count) resolve()
      })
    })
  }

  static async start(behaviour?: Behaviour): Promise<Receiver> {
    const receiver = new Receiver()
    if (behaviour !== undefined) receiver.behaviour = behaviour
    receiver.#server.listen(0, '127.0.0.1')
    await once(receiver.#server, 'listening')
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resolves when so many requests have come in all. */
  received(count: number): Promise<void> {
    if (this.requests.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
