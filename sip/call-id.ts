/**
 * The Call-ID of a frame, found without reading the message: it says to which partition of the bus a frame belongs.
 *
 * Takes    a frame as the spool carries it, HEP3 or HEP2.
 * Returns  a view of the Call-ID, the same that `readSip` gives whenever it gives one; undefined when there is none: no
 *          frame, no SIP in it, no Call-ID in that.
 * Throws   nothing, whatever the bytes are.
 * Source   RFC 3261 §20.8 (Call-ID, compact form "i"), §7.3.1; the tolerances of sip-message.ts.
 *
 * Time is linear. The rare forms, a compressed payload, HEP2 and a header folded over lines, are left to the readers that
 * know them.
 */
import { sipPayloadOfFrame } from './hep.js'
import { HEP3_CHUNK_HEADER_BYTES, HEP3_HEADER_BYTES } from './hep3.js'
import { HEADER_LINES_MAX, LINE_MAX_CHARS, readSip } from './sip-message.js'

export function callIdOf(frame: Buffer): Buffer | undefined {
  const payload = frame[0] === 0x48 ? hep3Payload(frame) : otherPayload(frame)
  return payload === undefined ? undefined : callIdIn(payload)
}

const PROTOCOL_TYPE = 0x0b
const PAYLOAD = 0x0f
const COMPRESSED_PAYLOAD = 0x10

/** Chunk 0x000f of a HEP3 frame that carries SIP, or the inflated chunk 0x0010. Of repeated chunks the last one counts. */
function hep3Payload(frame: Buffer): Buffer | undefined {
  const end = frame.length
  if (end < HEP3_HEADER_BYTES || frame[0] !== 0x48 || frame[1] !== 0x45 || frame[2] !== 0x50) return undefined
  if (frame[3] !== 0x33 || ((frame[4]! << 8) | frame[5]!) !== end) return undefined
  let payloadStart = 0
  let payloadEnd = 0
  let protocolType = 0
  let at = HEP3_HEADER_BYTES
  while (at < end) {
    if (end - at < HEP3_CHUNK_HEADER_BYTES) return undefined
    const next = at + ((frame[at + 4]! << 8) | frame[at + 5]!)
    const from = at + HEP3_CHUNK_HEADER_BYTES
    if (next < from || next > end) return undefined
    const isGeneric = frame[at] === 0 && frame[at + 1] === 0 && frame[at + 2] === 0
    if (isGeneric) {
      switch (frame[at + 3]) {
        case PROTOCOL_TYPE:
          // A number of 1 to 4 bytes; of any other size it is none, which `decodeHep3` reads as 0.
          protocolType = next - from <= 4 && next > from ? frame.readUIntBE(from, next - from) : 0
          break
        case PAYLOAD:
          payloadStart = from
          payloadEnd = next
          break
        case COMPRESSED_PAYLOAD:
          return otherPayload(frame)
      }
    }
    at = next
  }
  return protocolType === 1 && payloadEnd > payloadStart
    ? frame.subarray(payloadStart, payloadEnd)
    : undefined
}

/** Where more is to be done than to find a chunk. */
function otherPayload(frame: Buffer): Buffer | undefined {
  const payload = sipPayloadOfFrame(frame)
  return 'reason' in payload ? undefined : payload
}

const LF = 0x0a
const CR = 0x0d
const SP = 0x20
const HT = 0x09
const COLON = 0x3a
const HYPHEN = 0x2d

/** The Call-ID of a SIP message: of the first header line that has one. */
export function callIdIn(message: Buffer): Buffer | undefined {
  const size = message.length
  let at = 0
  while (at < size && isBlank(message[at]!)) at++
  at = lineAfter(message, at)
  if (at < size && isFold(message[at]!)) return readCallId(message)
  for (let lines = 0; at < size && lines < HEADER_LINES_MAX; lines++) {
    const first = message[at]!
    if (first === LF || (first === CR && (at + 1 === size || message[at + 1] === LF))) return undefined
    const next = lineAfter(message, at)
    if (next < size && isFold(message[next]!)) return readCallId(message)
    const colon = callIdColon(message, at)
    if (colon >= 0 && colon < next) {
      const end = message[next - 1] === LF ? next - 1 : next
      const value = end - at <= LINE_MAX_CHARS ? trimmed(message, colon + 1, end) : undefined
      if (value !== undefined) return value
    }
    at = next
  }
  return undefined
}

/** A message with a header that is folded over lines: name, colon and value may stand on three of them. */
function readCallId(message: Buffer): Buffer | undefined {
  const { callId } = readSip(message)
  return callId === '' ? undefined : Buffer.from(callId, 'latin1')
}

/** Where the colon of a Call-ID header stands that begins at `at`; -1 when it is another header. */
function callIdColon(bytes: Buffer, at: number): number {
  const letter = bytes[at]! | SP
  let colon = at + 1
  if (letter === 0x63) {
    colon = at + 7
    // "all-id" whatever its case, by the same rule as `readSip` compares names.
    if ((bytes[at + 1]! | SP) !== 0x61 || (bytes[at + 2]! | SP) !== 0x6c) return -1
    if ((bytes[at + 3]! | SP) !== 0x6c || (bytes[at + 4]! | SP) !== HYPHEN) return -1
    if ((bytes[at + 5]! | SP) !== 0x69 || (bytes[at + 6]! | SP) !== 0x64) return -1
  } else if (letter !== 0x69) {
    return -1
  }
  while (isFold(bytes[colon]!)) colon++
  return bytes[colon] === COLON ? colon : -1
}

/** Offset behind the next line feed; the size of the message when there is none. */
function lineAfter(bytes: Buffer, at: number): number {
  const newline = bytes.indexOf(LF, at)
  return newline < 0 ? bytes.length : newline + 1
}

function trimmed(bytes: Buffer, from: number, to: number): Buffer | undefined {
  while (from < to && isFold(bytes[from]!)) from++
  while (to > from && isBlank(bytes[to - 1]!)) to--
  return to > from ? bytes.subarray(from, to) : undefined
}

function isFold(byte: number): boolean {
  return byte === SP || byte === HT
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HT || byte === CR || byte === LF || byte === 0
}
