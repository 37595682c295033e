/**
 * Who may ask: a bearer token on every route but /healthz, as soon as tokens are given (faults.md §4, 2).
 *
 * Tokens are compared as SHA-256 digests in constant time, all of them each time. A browser may send one as the password
 * of HTTP Basic, with any user. An address that guessed wrong too often is refused before its next guess is looked at;
 * the address is that of the socket, because a header can say anything.
 *
 * Without tokens the api is on loopback: then a Host that is a name other than localhost is refused, so that a page of the
 * web cannot read it through a name that it lets point to 127.0.0.1.
 *
 * Throws   TRUNKSCOPE_API_EMPTY_TOKEN at start: an empty secret is no secret.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../schemas/tokens.js'
import { addressBytes } from '../sip/ip-address.js'
import { ApiError, startError } from './errors.js'

const TOKEN_MIN_CHARS = 32
const FAILURES_MAX = 10
const WINDOW_MS = 60_000
const ADDRESSES_MAX = 10_000

export type AccessCheck = (request: FastifyRequest, reply: FastifyReply) => void

export function accessCheck(tokens: readonly string[] | undefined, nowMs: () => number): AccessCheck {
  if (tokens === undefined) return refuseForeignHosts
  const digests = tokens.map((token) => {
    if (token.length < TOKEN_MIN_CHARS) {
      throw startError(
        'TRUNKSCOPE_API_EMPTY_TOKEN',
        `an API token has ${token.length} characters, at least ${TOKEN_MIN_CHARS} are needed; make one with: openssl rand -hex 32`,
      )
    }
    return digestOf(token)
  })
  if (digests.length === 0) {
    throw startError(
      'TRUNKSCOPE_API_EMPTY_TOKEN',
      'no API token is configured: write api_tokens in trunkscope.yaml, or listen on 127.0.0.1; ' +
        'make a token with: openssl rand -hex 32',
    )
  }
  const failures = new Failures(nowMs)
  return (request, reply) => {
    if (request.routeOptions.config.isPublic === true) return
    const address = networkOf(request.socket.remoteAddress ?? '')
    const waitS = failures.waitS(address)
    if (waitS > 0) {
      reply.header('retry-after', String(waitS))
      throw new ApiError(
        'TRUNKSCOPE_API_TOO_MANY_FAILURES',
        `too many wrong tokens came from this address; try again in ${waitS} s`,
      )
    }
    const written = tokenOf(request.headers.authorization)
    if (written !== undefined && isOneOf(digests, digestOf(written))) return
    if (written !== undefined) failures.note(address)
    reply.header(
      'www-authenticate',
      request.routeOptions.config.isPage === true
        ? 'Basic realm="Trunkscope: any user, the token as password", charset="UTF-8"'
        : 'Bearer realm="Trunkscope"',
    )
    throw new ApiError(
      'TRUNKSCOPE_API_UNAUTHORIZED',
      written === undefined
        ? 'send the header Authorization: Bearer <token>, with a token of api_tokens in trunkscope.yaml; ' +
            'in a browser give any user and the token as password'
        : 'this token is not one of api_tokens in trunkscope.yaml',
    )
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function isOneOf(digests: readonly Buffer[], digest: Buffer): boolean {
  let found = false
  for (const known of digests) found = timingSafeEqual(known, digest) || found
  return found
}

/** RFC 6750 §2.1 and RFC 7617 §2; the name of the scheme is case-insensitive (RFC 9110 §11.1). */
function tokenOf(header: string | undefined): string | undefined {
  const match = /^(bearer|basic) +([^\s]+)$/i.exec((header ?? '').slice(0, 4_096))
  if (match === null) return undefined
  if (match[1]!.toLowerCase() === 'bearer') return match[2]!
  const pair = Buffer.from(match[2]!, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}

/** An IPv6 host has a /64 to itself: it counts as one. */
function networkOf(address: string): string {
  const bytes = addressBytes(address)
  return bytes === undefined || bytes.length === 4 ? address : bytes.toString('hex', 0, 8)
}

/** Wrong tokens by address within a window. Bounded: when it is full the oldest address is forgotten. */
class Failures {
  readonly #byAddress = new Map<string, { count: number; untilMs: number }>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  note(address: string): void {
    const nowMs = this.#nowMs()
    const entry = this.#byAddress.get(address)
    if (entry !== undefined && entry.untilMs > nowMs) {
      entry.count++
      return
    }
    this.#byAddress.delete(address)
    if (this.#byAddress.size >= ADDRESSES_MAX) {
      this.#byAddress.delete(this.#byAddress.keys().next().value as string)
    }
    this.#byAddress.set(address, { count: 1, untilMs: nowMs + WINDOW_MS })
  }

  /** Seconds until the address may guess again; 0: now. */
  waitS(address: string): number {
    const entry = this.#byAddress.get(address)
    if (entry === undefined || entry.count < FAILURES_MAX) return 0
    return Math.max(0, Math.ceil((entry.untilMs - this.#nowMs()) / 1_000))
  }
}

const refuseForeignHosts: AccessCheck = (request) => {
  if (request.routeOptions.config.isPublic === true) return
  const { hostname } = request
  const name = hostname.replace(/^\[|\]$/g, '')
  if (name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0) return
  throw new ApiError(
    'TRUNKSCOPE_API_HOST_REFUSED',
    'without tokens only localhost and plain addresses are answered; use http://localhost, or configure api_tokens',
  )
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set before any route runs. */
    principal: Principal
  }
  interface FastifyContextConfig {
    /** Answered without a token. */
    isPublic?: boolean
    /** Answers HTML: errors too, and a browser may ask for the password. */
    isPage?: boolean
  }
}
