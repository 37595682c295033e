/**
 * Which requests a broker speaks: ApiVersions, the one request that is answered before anybody has to say who they are.
 * kafkajs keeps the answer to itself, so this asks on a connection of its own.
 *
 *   Request  => size(int32) api_key(int16 = 18) api_version(int16 = 0) correlation_id(int32) client_id(int16 length, bytes)
 *   Response => size(int32) correlation_id(int32) error_code(int16) count(int32) { api_key(int16) min(int16) max(int16) }
 *
 * Returns  the ranges by api key, or the reason why there are none.
 * Throws   nothing.
 * Source   Kafka protocol guide, ApiVersions version 0.
 */
import { connect as connectTcp, isIP } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export type ApiRanges = ReadonlyMap<number, { min: number; max: number }>

const API_VERSIONS = 18
const CLIENT_ID = 'trunkscope-doctor'
/** A broker lists about a hundred; what is longer is not a broker. */
const ANSWER_MAX_BYTES = 65_536

export async function apiVersions(
  broker: string,
  tls: ConnectionOptions | undefined,
  timeoutMs: number,
): Promise<ApiRanges | { reason: string }> {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(broker) ?? []
  const host = bracketed ?? plain ?? ''
  const to = { host, port: Number(port) }
  const socket =
    tls === undefined
      ? connectTcp(to)
      : connectTls({ ...to, ...tls, ...(isIP(host) === 0 ? { servername: host } : {}) })
  return new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const settle = (outcome: ApiRanges | { reason: string }) => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(timeoutMs, () => settle({ reason: `no answer within ${timeoutMs / 1_000} s` }))
    socket.once('error', (error: NodeJS.ErrnoException) => settle({ reason: error.code ?? error.message }))
    socket.once('close', () => settle({ reason: 'the connection was closed without an answer' }))
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(request()))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const outcome = readAnswer(received)
      if (outcome !== undefined) settle(outcome)
    })
  })
}

function request(): Buffer {
  const clientId = Buffer.from(CLIENT_ID)
  const frame = Buffer.alloc(14 + clientId.length)
  frame.writeInt32BE(10 + clientId.length, 0)
  frame.writeInt16BE(API_VERSIONS, 4)
  frame.writeInt16BE(0, 6)
  frame.writeInt32BE(1, 8)
  frame.writeInt16BE(clientId.length, 12)
  clientId.copy(frame, 14)
  return frame
}

const NO_BROKER = { reason: 'what answers there is no Kafka broker' }

/** Undefined while it is not whole. */
export function readAnswer(bytes: Buffer): ApiRanges | { reason: string } | undefined {
  if (bytes.length < 4) return undefined
  const size = bytes.readInt32BE(0)
  if (size < 10 || size > ANSWER_MAX_BYTES) return NO_BROKER
  if (bytes.length < 4 + size) return undefined
  const count = bytes.readInt32BE(10)
  if (bytes.readInt32BE(4) !== 1 || bytes.readInt16BE(8) !== 0) return NO_BROKER
  if (count < 1 || 14 + count * 6 > 4 + size) return NO_BROKER
  const ranges = new Map<number, { min: number; max: number }>()
  for (let at = 14; ranges.size < count && at + 6 <= 4 + size; at += 6) {
    ranges.set(bytes.readInt16BE(at), { min: bytes.readInt16BE(at + 2), max: bytes.readInt16BE(at + 4) })
  }
  return ranges
}
