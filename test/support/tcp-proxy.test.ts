import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInsert, isKafkaRequest, TcpProxy } from './tcp-proxy.js'

let server: Server
let proxy: TcpProxy
const heard: string[] = []

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard.push(bytes.toString())
      socket.write(`answer to ${bytes}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await TcpProxy.start()
  proxy.serverPort = (server.address() as AddressInfo).port
})
afterAll(async () => {
  await proxy.stop()
  server.close()
})

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function ask(socket: Socket, question: string): Promise<string> {
  socket.write(question)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return bytes.toString()
}

describe('a wire that loses answers', () => {
  test('carries what nobody asked it to lose', async () => {
    const socket = await client()
    expect(await ask(socket, 'one')).toBe('answer to one')
    expect(await ask(socket, 'two')).toBe('answer to two')
    socket.destroy()
  })

  test('cut: the server has the request, the connection is reset in place of the answer; the next one is answered', async () => {
    const lostBefore = proxy.lost
    proxy.loseAnswers((bytes) => bytes.toString() === 'write', 'cut', 1)
    const socket = await client()
    expect(await ask(socket, 'read')).toBe('answer to read')
    socket.write('write')
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    expect(heard.at(-1)).toBe('write')
    expect(proxy.lost).toBe(lostBefore + 1)
    const again = await client()
    expect(await ask(again, 'write')).toBe('answer to write')
    again.destroy()
  })

  test('swallow: the connection stays and nothing comes back, until the client gives it up', async () => {
    const lostBefore = proxy.lost
    proxy.loseAnswers(() => true, 'swallow', 1)
    const socket = await client()
    let answers = 0
    socket.on('data', () => answers++)
    socket.write('silent')
    await expect.poll(() => proxy.lost).toBe(lostBefore + 1)
    const other = await client()
    expect(await ask(other, 'loud')).toBe('answer to loud')
    expect(answers).toBe(0)
    expect(socket.closed).toBe(false)
    socket.destroy()
    other.destroy()
  })

  test('knows requests of Kafka by their key, and inserts', () => {
    const request = (apiKey: number) => Buffer.from([0, 0, 1, 0, 0, apiKey, 0, 7, 0, 0, 0, 1])
    expect(isKafkaRequest(0)(request(0))).toBe(true)
    expect(isKafkaRequest(0)(request(8))).toBe(false)
    expect(isKafkaRequest(8)(request(8))).toBe(true)
    expect(isKafkaRequest(0)(Buffer.from([0, 0]))).toBe(false)
    expect(isInsert(Buffer.from('POST /?query=INSERT+INTO+t+FORMAT+RowBinary HTTP/1.1\r\n'))).toBe(true)
    expect(isInsert(Buffer.from('POST /?query_id=x HTTP/1.1\r\n\r\nSELECT 1'))).toBe(false)
  })
})
