/**
 * Sends one request to a sink: a connection of its own to an address that was judged before, no redirects, ten seconds for
 * everything, and of the answer nothing but its status and Retry-After.
 *
 * Takes    the request. Returns the status, or why there is none; a sentence for the operator without secrets: neither path
 *          nor query of the address, nothing of what came back.
 * Throws   nothing.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { guardAddress, type Resolve } from './address-guard.js'
import type { OutgoingRequest } from './sink.js'

export type Answer =
  | { kind: 'answered'; status: number; retryAfterMs: number | undefined }
  | { kind: 'failed'; sentence: string }

/** Of a sink of any kind. */
export type Outcome =
  | Answer
  /** Would be refused again, however often it is tried. */
  | { kind: 'refused'; sentence: string }

export interface PostOptions {
  allowPrivate: boolean
  nowMs?: () => number
  timeLimitMs?: number
  resolve?: Resolve
  signal?: AbortSignal
}

export type Post = (request: OutgoingRequest, options: PostOptions) => Promise<Answer>

const TIME_LIMIT_MS = 10_000
/** Read and thrown away, so that a polite receiver can finish; one that goes on is cut off. */
const ANSWER_BYTES_MAX = 65_536
const RETRY_AFTER_MS_MAX = 3_600_000

export const post: Post = async (outgoing, options) => {
  const timeLimitMs = options.timeLimitMs ?? TIME_LIMIT_MS
  const limit = AbortSignal.timeout(timeLimitMs)
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal])
  try {
    const url = new URL(outgoing.url)
    const guarded = await until(signal, guardAddress(url.hostname, options.allowPrivate, options.resolve))
    if ('refused' in guarded) return { kind: 'failed', sentence: guarded.refused }
    // For a name `lookup` gives what was judged; an address in the URL was judged itself and is not looked up.
    const pinned: LookupFunction = (_hostname, wanted, done) => {
      const [first] = guarded.addresses
      if (wanted.all === true) done(null, guarded.addresses)
      else done(null, first!.address, first!.family)
    }
    const response = await send(url, outgoing, { lookup: pinned, signal })
    const retryAfterMs = retryAfterOf(response.headers['retry-after'], (options.nowMs ?? Date.now)())
    await discard(response)
    return { kind: 'answered', status: response.statusCode ?? 0, retryAfterMs }
  } catch (error) {
    if (limit.aborted) return { kind: 'failed', sentence: `no answer within ${timeLimitMs / 1_000} s` }
    return { kind: 'failed', sentence: `no answer (${codeOf(error)})` }
  }
}

function send(url: URL, outgoing: OutgoingRequest, options: RequestOptions): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    request(
      url,
      {
        ...options,
        method: 'POST',
        // No pool: a pooled connection was judged for another request.
        agent: false,
        headers: {
          ...outgoing.headers,
          'content-length': String(Buffer.byteLength(outgoing.body)),
          'user-agent': 'trunkscope',
          connection: 'close',
        },
      },
      resolve,
    )
      .on('error', reject)
      .end(outgoing.body)
  })
}

/** The status is known: whatever happens to the rest of the answer changes nothing. */
async function discard(response: IncomingMessage): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > ANSWER_BYTES_MAX) break
    }
  } catch {
    // Cut off in the middle.
  }
  response.destroy()
}

/** Looking a name up cannot be called off; it is left behind. */
function until<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** Our own words: nothing of what came back. */
export function sentenceOf(answer: Outcome): string {
  if (answer.kind !== 'answered') return answer.sentence
  const isRedirect = answer.status >= 300 && answer.status < 400
  return `answered ${answer.status}${isRedirect ? ' (a redirect, which is not followed)' : ''}`
}

/** RFC 9110 §10.2.3: seconds or a date. What is neither, or in the past, says nothing. */
export function retryAfterOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : dateOf(text) - nowMs
  if (!(waitMs > 0)) return undefined
  return Math.min(waitMs, RETRY_AFTER_MS_MAX)
}

/** `Date.parse` takes almost anything for a date: only what looks like one of HTTP is asked. */
function dateOf(text: string): number {
  return /^[A-Z][a-z]{2,8}, ?\d{1,2}[ -].{1,30}GMT$/.test(text) ? Date.parse(text) : Number.NaN
}

/** ECONNREFUSED, DEPTH_ZERO_SELF_SIGNED_CERT …: a name from a closed list, so nothing of the other side's. */
function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return /^[A-Z][A-Z0-9_]{2,60}$/.test(code ?? '') ? code! : (name ?? 'unknown')
}
