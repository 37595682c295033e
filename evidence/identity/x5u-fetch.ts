/**
 * Fetches the certificate that an x5u names, where the operator has switched that on. The URL is the choice of whoever placed
 * the call: everything here assumes that it was chosen to do harm.
 *
 *   https only · port 443 or 8443 · a host of the list · no user or password in the URL
 *   every address of the name must be public (public-address.ts); the connection goes to one that was checked, and the name
 *   is not looked up again, so that an answer that changes changes nothing
 *   no redirects · 2 s for all of it, the name included · 64 KiB · what comes must be PEM certificates
 *
 * Takes    an x5u.
 * Returns  the certificate with its chain, or a reason out of X5U_REASONS. Kept by URL for as long as Cache-Control says,
 *          between a minute and a day; a failure for a minute, and so is a host that was silent eight times in a row. At most IN_FLIGHT_MAX go on at a time, WAITING_MAX wait; more
 *          are `busy`, and not kept. Who asks for a URL that is under way gets the same answer.
 * Throws   nothing.
 * Source   faults.md §4 point 6; RFC 8226 §9; RFC 8224 §7.2; RFC 9111 §5.2.2.1 (max-age).
 */
import { Resolver } from 'node:dns/promises'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { isPublicAddress } from '../../sip/public-address.js'
import { PEM_MAX_BYTES, readCertificates, type SigningCertificate } from './certificate.js'
import { X5U_MAX_CHARS } from './certificates-folder.js'

export const X5U_REASONS = {
  url_refused: 'no URL with https, a port 443 or 8443, and neither user nor password',
  host_refused: 'the host is none of identity.fetch.hosts',
  name_unknown: 'the name has no address',
  address_refused: 'one of the addresses of the name is not public',
  connect_failed: 'no connection, or no certificate of the web server that can be trusted',
  redirect: 'the answer sends on to another address, and nobody follows',
  bad_status: 'the answer is another one than 200',
  too_large: 'the answer is longer than 64 KiB',
  timeout: 'there was no whole answer in 2 s',
  not_certificates: 'the answer is not made of PEM certificates',
  busy: 'too many are being fetched and wait already',
} as const
export type X5uReason = keyof typeof X5U_REASONS

export type Fetched = { certificate: SigningCertificate } | { reason: X5uReason }

export interface X5uFetchOptions {
  /** Names that may be asked; `*.example.org` means all below it. Case does not matter. */
  hosts: readonly string[]
  nowMs?: () => number
  /** For tests: all addresses of a name. */
  resolve?: (host: string) => Promise<readonly string[]>
  /** For tests: takes the place of `connect`, is given the address that was checked. */
  connect?: (options: ConnectionOptions) => TLSSocket
}

const TOTAL_MS = 2_000
const IN_FLIGHT_MAX = 4
const WAITING_MAX = 64
const KEPT_MAX = 2_048
const KEPT_MIN_S = 60
const KEPT_DEFAULT_S = 3_600
const KEPT_MAX_S = 86_400
const FAILURE_KEPT_S = 60
/** So many in a row that nobody answered: the host is not asked for a minute. A stranger writes as many paths as he likes. */
const UNANSWERED_MAX = 8
const UNANSWERED: ReadonlySet<X5uReason> = new Set(['timeout', 'connect_failed', 'name_unknown'])
const PORTS: ReadonlySet<string> = new Set(['', '443', '8443'])

interface Kept {
  fetched: Fetched
  untilMs: number
}

export class X5uFetch {
  readonly #options: X5uFetchOptions
  readonly #nowMs: () => number
  readonly #kept = new Map<string, Kept>()
  readonly #unanswered = new Map<string, { times: number; untilMs: number; reason: X5uReason }>()
  readonly #underWay = new Map<string, Promise<Fetched>>()
  readonly #waiting: (() => void)[] = []
  #inFlight = 0

  constructor(options: X5uFetchOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
  }

  get kept(): number {
    return this.#kept.size
  }

  async fetch(x5u: string): Promise<Fetched> {
    const kept = this.#kept.get(x5u)
    if (kept !== undefined && kept.untilMs > this.#nowMs()) return kept.fetched
    const url = allowedUrl(x5u, this.#options.hosts)
    // Cheap to say again, and a stranger's texts are not kept.
    if ('reason' in url) return url
    const silent = this.#silent(url.host)
    if (silent !== undefined) return silent
    const underWay = this.#underWay.get(x5u)
    if (underWay !== undefined) return underWay
    if (this.#inFlight >= IN_FLIGHT_MAX && this.#waiting.length >= WAITING_MAX) return { reason: 'busy' }
    const promise = this.#fetchInTurn(x5u, url)
    this.#underWay.set(x5u, promise)
    try {
      return await promise
    } finally {
      this.#underWay.delete(x5u)
    }
  }

  async #fetchInTurn(x5u: string, url: URL): Promise<Fetched> {
    if (this.#inFlight >= IN_FLIGHT_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#inFlight++
    try {
      const silent = this.#silent(url.host)
      if (silent !== undefined) return silent
      const { fetched, keepS } = await fetchOnce(url, this.#options)
      this.#note(url.host, fetched)
      this.#keep(x5u, { fetched, untilMs: this.#nowMs() + keepS * 1_000 })
      return fetched
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#inFlight--
      else next() // Its place is handed over.
    }
  }

  #silent(host: string): Fetched | undefined {
    const unanswered = this.#unanswered.get(host)
    if (unanswered === undefined || unanswered.times < UNANSWERED_MAX) return undefined
    return unanswered.untilMs > this.#nowMs() ? { reason: unanswered.reason } : undefined
  }

  #note(host: string, fetched: Fetched): void {
    const times = (this.#unanswered.get(host)?.times ?? 0) + 1
    this.#unanswered.delete(host)
    if (!('reason' in fetched) || !UNANSWERED.has(fetched.reason)) return
    if (this.#unanswered.size >= KEPT_MAX) this.#unanswered.delete(this.#unanswered.keys().next().value!)
    const untilMs = this.#nowMs() + FAILURE_KEPT_S * 1_000
    this.#unanswered.set(host, { times, untilMs, reason: fetched.reason })
  }

  #keep(x5u: string, kept: Kept): void {
    this.#kept.delete(x5u)
    if (this.#kept.size >= KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(x5u, kept)
  }
}

/** The parts of the URL that can be judged before anything is asked of anybody. */
export function allowedUrl(x5u: string, hosts: readonly string[]): URL | { reason: X5uReason } {
  if (x5u.length > X5U_MAX_CHARS || !URL.canParse(x5u)) return { reason: 'url_refused' }
  const url = new URL(x5u)
  const isPlain = url.protocol === 'https:' && url.username === '' && url.password === ''
  if (!isPlain || !PORTS.has(url.port)) return { reason: 'url_refused' }
  const host = url.hostname.toLowerCase().replace(/\.$/, '')
  const isListed = hosts.some((written) => {
    const listed = written.toLowerCase()
    return listed.startsWith('*.')
      ? host.endsWith(listed.slice(1)) && host.length >= listed.length
      : host === listed
  })
  return isListed ? url : { reason: 'host_refused' }
}

async function fetchOnce(url: URL, options: X5uFetchOptions): Promise<{ fetched: Fetched; keepS: number }> {
  const clock = new Deadline(TOTAL_MS)
  try {
    const address = await clock.race(checkedAddress(url.hostname, options.resolve ?? addressesOf))
    if (typeof address !== 'string') return failed(address.reason)
    const answer = await clock.race(get(url, address, options, clock))
    if ('reason' in answer) return failed(answer.reason)
    const read = readCertificates(answer.body)
    if ('reason' in read) return failed('not_certificates')
    return { fetched: { certificate: read }, keepS: answer.keepS }
  } catch (error) {
    return failed(error === TIMEOUT ? 'timeout' : 'connect_failed')
  } finally {
    clock.stop()
  }
}

const failed = (reason: X5uReason) => ({ fetched: { reason }, keepS: FAILURE_KEPT_S })

/** One of the addresses, when all of them are public: a name that has others too is not to be trusted with any. */
async function checkedAddress(
  hostname: string,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<string | { reason: X5uReason }> {
  const written = hostname.replace(/^\[|\]$/g, '')
  let addresses: readonly string[]
  try {
    addresses = isIP(written) !== 0 ? [written] : await resolve(hostname)
  } catch {
    return { reason: 'name_unknown' }
  }
  const [first] = addresses
  if (first === undefined) return { reason: 'name_unknown' }
  return addresses.every(isPublicAddress) ? first : { reason: 'address_refused' }
}

/**
 * From the name servers, not through the system's resolver: that one takes a thread of the pool that files are read with,
 * for as long as a name server of a stranger likes, and knows names that are this host's affair.
 */
async function addressesOf(host: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: TOTAL_MS / 2, tries: 1 })
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

type Answer = { body: Buffer; keepS: number } | { reason: X5uReason }

/** The request names the address; the name goes into SNI, Host and the check of the certificate alone. */
function get(url: URL, address: string, options: X5uFetchOptions, clock: Deadline): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request({
      host: address,
      port: url.port === '' ? 443 : Number(url.port),
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      // None for an address, says RFC 6066 §3.
      servername: isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 ? url.hostname : '',
      headers: {
        host: url.host,
        accept: 'application/pem-certificate-chain, */*',
        'accept-encoding': 'identity',
      },
      maxHeaderSize: 8_192,
      minVersion: 'TLSv1.2',
      // Without an agent: no connection is kept, and none goes anywhere but here.
      createConnection: (wanted) => (options.connect ?? connect)(wanted as ConnectionOptions),
    })
    clock.whenOver(() => outgoing.destroy())
    outgoing.on('response', (incoming) => readAnswer(incoming, outgoing, resolve))
    outgoing.on('error', reject)
    outgoing.on('close', () => reject(new Error('closed before a whole answer')))
    outgoing.end()
  })
}

function readAnswer(
  incoming: IncomingMessage,
  outgoing: ClientRequest,
  resolve: (answer: Answer) => void,
): void {
  const { statusCode = 0, headers } = incoming
  const refuse = (reason: X5uReason) => {
    resolve({ reason })
    outgoing.destroy()
  }
  const refused = refusalOf(statusCode, Number(headers['content-length'] ?? 0))
  if (refused !== undefined) {
    refuse(refused)
    return
  }
  const chunks: Buffer[] = []
  let bytes = 0
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > PEM_MAX_BYTES) refuse('too_large')
    else chunks.push(chunk)
  })
  incoming.on('error', () => outgoing.destroy())
  incoming.on('end', () => {
    if (incoming.complete)
      resolve({ body: Buffer.concat(chunks), keepS: keepS(headers['cache-control'] ?? '') })
    outgoing.destroy()
  })
}

function refusalOf(statusCode: number, lengthBytes: number): X5uReason | undefined {
  if (statusCode >= 300 && statusCode < 400) return 'redirect'
  if (statusCode !== 200) return 'bad_status'
  return lengthBytes > PEM_MAX_BYTES ? 'too_large' : undefined
}

function keepS(cacheControl: string): number {
  if (/\bno-(?:store|cache)\b/i.test(cacheControl)) return KEPT_MIN_S
  const written = /\bmax-age\s*=\s*"?(\d{1,9})/i.exec(cacheControl)?.[1]
  return written === undefined ? KEPT_DEFAULT_S : Math.min(KEPT_MAX_S, Math.max(KEPT_MIN_S, Number(written)))
}

const TIMEOUT = Symbol('the time is over')

/** One clock for the name, the connection and the answer together. */
class Deadline {
  readonly #timer: NodeJS.Timeout
  readonly #over: Promise<never>
  readonly #actions: (() => void)[] = []

  constructor(ms: number) {
    let reject: (reason: symbol) => void
    this.#over = new Promise<never>((_, no) => {
      reject = no
    })
    this.#over.catch(() => {})
    this.#timer = setTimeout(() => {
      reject(TIMEOUT)
      for (const action of this.#actions) action()
    }, ms)
  }

  race<Result>(promise: Promise<Result>): Promise<Result> {
    promise.catch(() => {})
    return Promise.race([promise, this.#over])
  }

  whenOver(action: () => void): void {
    this.#actions.push(action)
  }

  stop(): void {
    clearTimeout(this.#timer)
    for (const action of this.#actions) action()
  }
}
