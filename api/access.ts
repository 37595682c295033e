/**
 * Who may ask: a bearer token on every route but /healthz, as soon as tokens are given (faults.md §4, 2). A route says which
 * role it needs at least; who holds a token of some carriers gets no route that is about all of them together.
 *
 * Tokens are compared as SHA-256 digests in constant time, all of them each time. A browser may send one as the password
 * of HTTP Basic, with any user. An address that guessed wrong too often is refused before its next guess is looked at;
 * the address is that of the socket, because a header can say anything.
 *
 * Without tokens the api is on loopback: then a Host that is a name other than localhost is refused, so that a page of the
 * web cannot read it through a name that it lets point to 127.0.0.1.
 *
 * Returns  the principal. What it may see is the readers' affair (readers.ts).
 * Throws   TRUNKSCOPE_API_EMPTY_TOKEN at start: an empty list lets nobody in.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import { isAtLeast, LOOPBACK, type Principal, type Role, type Token } from '../schemas/tokens.js'
import { addressBytes } from '../sip/ip-address.js'
import type { ApiDeps } from './deps.js'
import { ApiError, startError } from './errors.js'

const FAILURES_MAX = 10
const WINDOW_MS = 60_000
const ADDRESSES_MAX = 10_000

/** Who asks without a token where none is needed: nothing that it gets is anybody's. */
const ANYBODY: Principal = { id: 'anybody', role: 'viewer', carriers: [] }

export type AccessCheck = (request: FastifyRequest, reply: FastifyReply) => Principal

export function accessCheck(tokens: ApiDeps['tokens'], nowMs: () => number): AccessCheck {
  if (tokens?.()?.length === 0) {
    throw startError(
      'TRUNKSCOPE_API_EMPTY_TOKEN',
      'no API token is configured: write tokens in trunkscope.yaml, or listen on 127.0.0.1; ' +
        'make a token with: trunkscope token --id admin --role admin',
    )
  }
  const failures = new Failures(nowMs)
  const known = new Digests()
  return (request, reply) => {
    const { config } = request.routeOptions
    if (config.isPublic === true) return ANYBODY
    const list = tokens?.()
    if (list === undefined) {
      refuseForeignHosts(request)
      return LOOPBACK
    }
    const address = networkOf(request.socket.remoteAddress ?? '')
    refuseGuesser(failures.waitS(address), reply)
    const written = tokenOf(request.headers.authorization)
    const token = written === undefined ? undefined : known.find(list, digestOf(written))
    const isExpired = token?.expires !== undefined && Date.parse(token.expires) <= nowMs()
    if (token === undefined || isExpired) {
      if (written !== undefined && token === undefined) failures.note(address)
      reply.header(
        'www-authenticate',
        config.isPage === true
          ? 'Basic realm="Trunkscope: any user, the token as password", charset="UTF-8"'
          : 'Bearer realm="Trunkscope"',
      )
      throw new ApiError('TRUNKSCOPE_API_UNAUTHORIZED', whyNot(written, token))
    }
    const principal = { id: token.id, role: token.role, carriers: token.carriers ?? ('all' as const) }
    // Known also where it is refused: the audit trail says by whom.
    request.principal = principal
    checkRights(principal, config)
    return principal
  }
}

function refuseGuesser(waitS: number, reply: FastifyReply): void {
  if (waitS === 0) return
  reply.header('retry-after', String(waitS))
  throw new ApiError(
    'TRUNKSCOPE_API_TOO_MANY_FAILURES',
    `too many wrong tokens came from this address; try again in ${waitS} s`,
  )
}

function whyNot(written: string | undefined, token: Token | undefined): string {
  if (token !== undefined) {
    return `the token ${token.id} expired at ${token.expires}; ask the operator for another: trunkscope token makes one`
  }
  return written === undefined
    ? 'send the header Authorization: Bearer <token>, with a token that trunkscope token made; ' +
        'in a browser give any user and the token as password'
    : 'this token is not one of tokens in trunkscope.yaml'
}

function checkRights(
  { id, role, carriers }: Principal,
  { role: least = 'viewer', isOfAllCarriers }: FastifyContextConfig,
) {
  if (!isAtLeast(role, least)) {
    throw new ApiError(
      'TRUNKSCOPE_API_ROLE_TOO_LOW',
      `the token ${id} is one of a ${role}; this needs the role ${least}`,
    )
  }
  if (isOfAllCarriers === true && carriers !== 'all') {
    throw new ApiError(
      'TRUNKSCOPE_API_CARRIER_LIMITED',
      `the token ${id} is limited to ${carriers.join(', ')}; this is about all carriers together`,
    )
  }
}

/** The list of the configuration with its digests as bytes; a reload brings another list. */
class Digests {
  #of: readonly Token[] | undefined
  #digests: Buffer[] = []

  find(list: readonly Token[], digest: Buffer): Token | undefined {
    if (list !== this.#of) {
      this.#digests = list.map(({ sha256 }) => Buffer.from(sha256, 'hex'))
      this.#of = list
    }
    let at = -1
    for (const [index, known] of this.#digests.entries()) if (timingSafeEqual(known, digest)) at = index
    return list[at]
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
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

function refuseForeignHosts({ hostname }: FastifyRequest): void {
  const name = hostname.replace(/^\[|\]$/g, '')
  if (name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0) return
  throw new ApiError(
    'TRUNKSCOPE_API_HOST_REFUSED',
    'without tokens only localhost and plain addresses are answered; use http://localhost, or configure tokens',
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
    /** The least role that is answered; every route says it. */
    role?: Role
    /** About no carrier, or about all of them together: not for a token of some carriers. */
    isOfAllCarriers?: boolean
    /** Answers HTML: errors too, and a browser may ask for the password. */
    isPage?: boolean
  }
}
