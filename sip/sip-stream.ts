/**
 * Splits the bytes of one direction of a TCP connection into SIP messages.
 *
 *   stream  => ( *CRLF message )*; message => start line, headers, empty line, as many bytes as Content-Length says
 *
 * Takes    reads of any size, in order, with the time of each; `lost` between two reads says that bytes are missing.
 * Returns  messages through `onMessage`, each a buffer of its own, with the time of the read that made it whole.
 * Throws   only what `onMessage` throws.
 * Source   RFC 3261 §7.5, §18.3, §20.14 (no Content-Length over a stream: taken for 0), RFC 5626 §3.5.1 (CRLF between
 *          messages keeps a connection open).
 *
 * What begins no message is left out up to the next line or read that does: a capture may begin in the middle of one. Up to
 * 65,000 bytes are held, the longest message that a frame has room for; time is linear in what comes.
 */
import type { PcapReason } from '../schemas/pcap-reasons.js'

export const MESSAGE_MAX_BYTES = 65_000
/** As in sip-message.ts: no start line is longer. */
const LINE_MAX_BYTES = 16_384

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const COLON = 0x3a
/** Ends a request line; a Via has it in its middle. */
const VERSION = /\sSIP\/\d{1,3}\.\d{1,3}$/i
const VERSION_MAX_CHARS = 12

export interface SipStreamSink {
  onMessage(payload: Buffer, completedAtUs: number): void
  onUnread(reason: PcapReason): void
}

export class SipStreamReader {
  readonly #sink: SipStreamSink
  #pending: Buffer = Buffer.alloc(0)
  #pendingLength = 0
  /** Of the pending message; 0 while its headers are not complete. */
  #messageLength = 0
  /** Where the end of the headers is looked for. */
  #searchedTo = 0
  /** Bytes up to the next line belong to nothing. */
  #isInsideLine = false
  /** No message has begun since the last bytes that were missing or strange: then one may begin with a read, too. */
  #isUnsure = true

  constructor(sink: SipStreamSink) {
    this.#sink = sink
  }

  /** Bytes of a message that is not complete. */
  get heldBytes(): number {
    return this.#pending.length
  }

  get isInMessage(): boolean {
    return this.#pendingLength > 0
  }

  push(bytes: Buffer, atUs: number): void {
    let isStrange = false
    if (this.#isUnsure && !mayBeginSip(this.#pending, this.#pendingLength) && surelyBeginsSip(bytes)) {
      isStrange = this.#pendingLength > 0
      this.#drop(this.#pendingLength)
      this.#isInsideLine = false
    }
    this.#keep(bytes)
    let at = 0
    while (at < this.#pendingLength) {
      const took = this.#isInsideLine ? this.#skipLine(at) : this.#take(at, atUs)
      if (took === WAIT) break
      if (took.isStrange) isStrange = true
      at += took.bytes
      this.#messageLength = 0
      this.#searchedTo = 0
    }
    if (isStrange) this.#sink.onUnread('tcp_not_sip')
    this.#drop(at)
  }

  /** Bytes are missing: what is pending will not become a message, and the next bytes may be the middle of one. */
  lost(): void {
    this.#drop(this.#pendingLength)
    this.#pending = Buffer.alloc(0)
    this.#messageLength = 0
    this.#searchedTo = 0
    this.#isInsideLine = false
    this.#isUnsure = true
  }

  #take(at: number, atUs: number): Took | typeof WAIT {
    const bytes = this.#pending
    const first = bytes[at]!
    if (first === CR || first === LF || first === 0) return { bytes: 1, isStrange: false }
    const end = this.#pendingLength
    if (this.#messageLength === 0) {
      if (this.#searchedTo === 0) {
        const begins = beginsSip(bytes, at, end)
        if (begins === undefined) return WAIT
        if (!begins) {
          this.#isInsideLine = true
          this.#isUnsure = true
          return { bytes: 0, isStrange: false }
        }
        this.#isUnsure = false
      }
      const from = at + Math.max(0, this.#searchedTo - 3)
      const bodyAt = headersEnd(bytes, from, end)
      if (bodyAt < 0) {
        this.#searchedTo = end - at
        return end - at < MESSAGE_MAX_BYTES ? WAIT : this.#tooLarge()
      }
      this.#messageLength = bodyAt - at + contentLengthOf(bytes, at, bodyAt)
    }
    if (this.#messageLength > MESSAGE_MAX_BYTES) return this.#tooLarge()
    if (end - at < this.#messageLength) return WAIT
    this.#sink.onMessage(Buffer.from(bytes.subarray(at, at + this.#messageLength)), atUs)
    return { bytes: this.#messageLength, isStrange: false }
  }

  #tooLarge(): Took {
    this.#sink.onUnread('message_too_large')
    this.#isInsideLine = true
    this.#isUnsure = true
    return { bytes: 0, isStrange: false }
  }

  #skipLine(at: number): Took {
    const newline = this.#pending.subarray(at, this.#pendingLength).indexOf(LF)
    this.#isInsideLine = newline < 0
    return { bytes: newline < 0 ? this.#pendingLength - at : newline + 1, isStrange: true }
  }

  #keep(bytes: Buffer): void {
    const needed = this.#pendingLength + bytes.length
    if (needed > this.#pending.length) {
      const larger = Buffer.allocUnsafe(
        Math.max(needed, Math.min(2 * this.#pending.length, MESSAGE_MAX_BYTES)),
      )
      this.#pending.copy(larger, 0, 0, this.#pendingLength)
      this.#pending = larger
    }
    bytes.copy(this.#pending, this.#pendingLength)
    this.#pendingLength = needed
  }

  #drop(bytes: number): void {
    if (bytes === 0) return
    this.#pending.copyWithin(0, bytes, this.#pendingLength)
    this.#pendingLength -= bytes
    if (this.#pendingLength === 0) this.#pending = Buffer.alloc(0)
  }
}

interface Took {
  bytes: number
  isStrange: boolean
}
/** More bytes are needed. */
const WAIT = 'wait'

/**
 * Whether a SIP message may begin here: its first line begins with "SIP/", or is a word without a
 * colon, more, and the version. undefined: the line has no end yet.
 */
export function beginsSip(bytes: Buffer, from: number, end: number): boolean | undefined {
  const size = Math.min(4, end - from)
  if (bytes.toString('latin1', from, from + size).toUpperCase() === 'SIP/'.slice(0, size)) {
    return size === 4 ? true : undefined
  }
  // A method: what is no letter at all is not looked through for the end of its line.
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!
    if (byte === SP && at > from) break
    if (byte <= SP || byte >= 0x7f || byte === COLON || at - from > 128) return false
    if (at === end - 1) return undefined
  }
  const found = bytes.subarray(from, end).indexOf(LF)
  if (found < 0) return end - from > LINE_MAX_BYTES ? false : undefined
  if (found > LINE_MAX_BYTES) return false
  const line = bytes.toString('latin1', from, from + found).trimEnd()
  return VERSION.test(line.slice(-VERSION_MAX_CHARS))
}

/** RFC 3261 and the methods registered since: for where a line may be the end of another one. */
const BEGINNINGS =
  'INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE'
    .split(' ')
    .map((method) => `${method} `)
    .concat('SIP/2.0 ')

function surelyBeginsSip(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, 10)
  return BEGINNINGS.some((beginning) => text.startsWith(beginning))
}

/** Whether what is held is, or may become, the beginning of a message. */
function mayBeginSip(bytes: Buffer, length: number): boolean {
  const text = bytes.toString('latin1', 0, Math.min(length, 10))
  return (
    text !== '' && BEGINNINGS.some((beginning) => beginning.startsWith(text) || text.startsWith(beginning))
  )
}

/** Where the body begins; -1: the empty line has not come. */
function headersEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0 && at < end - 1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === CR && at + 2 < end && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

/** The first that there is, as in sip-message.ts. */
function contentLengthOf(bytes: Buffer, from: number, bodyAt: number): number {
  const headers = bytes.toString('latin1', from, bodyAt)
  for (
    let at = headers.indexOf('\n');
    at >= 0 && at + 1 < headers.length;
    at = headers.indexOf('\n', at + 1)
  ) {
    const end = headers.indexOf('\n', at + 1)
    const colon = headers.indexOf(':', at + 1)
    if (colon < 0 || end < 0) return 0
    if (colon > end) continue
    const name =
      colon - at > 20
        ? ''
        : headers
            .slice(at + 1, colon)
            .trim()
            .toLowerCase()
    if (name !== 'content-length' && name !== 'l') continue
    const value = headers.slice(colon + 1, Math.min(end, colon + 40)).trim()
    return /^\d{1,9}$/.test(value) ? Number(value) : 0
  }
  return 0
}
