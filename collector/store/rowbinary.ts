/**
 * Encodes rows as RowBinary, ClickHouse's plain row format, into one growing buffer.
 *
 *   row => column*          String => length(LEB128) bytes       Array(T) => length(LEB128) T*
 *   Nullable(T) => 0x00 T | 0x01          DateTime => uint32 LE          DateTime64(6) => int64 LE microseconds
 *   FixedString(16) => 16 bytes, from 32 hex digits               Bool => one byte
 *
 * Strings from the wire are latin1 text (one char a byte) and are written back as those bytes when `latin1` is asked for;
 * our own texts are UTF-8. Source: https://clickhouse.com/docs/interfaces/formats/RowBinary
 */
import type { AttemptRow, Column, ColumnType } from '../../schemas/call-attempts.js'
import { delayBucket } from '../../schemas/delay-histogram.js'
import { CALL_ID_MAX, type MessageRow, methodLabel } from '../../schemas/sip-messages.js'

type Write = (writer: RowBinaryWriter, value: unknown) => void

const WRITE: Record<ColumnType, Write> = {
  String: (w, value) => (Buffer.isBuffer(value) ? w.bytes(value) : w.text(value as string)),
  'FixedString(16)': (w, value) => w.hex16(value as string),
  Bool: (w, value) => w.uint8(value ? 1 : 0),
  UInt8: (w, value) => w.uint8(value as number),
  UInt16: (w, value) => w.uint16(value as number),
  UInt32: (w, value) => w.uint32(value as number),
  UInt64: (w, value) => w.uint64(value as number),
  Int64: (w, value) => w.uint64(value as number),
  Float64: (w, value) => w.float64(value as number),
  'Nullable(Float64)': (w, value) => w.nullable(value as number | null),
  DateTime: (w, value) => w.uint32(value as number),
  'DateTime64(6)': (w, value) => w.uint64(value as number),
  'Array(String)': (w, value) => w.texts(value as readonly string[]),
}

const CHUNK_BYTES = 1 << 20
const FREE_CHUNKS_MAX = 64
const freeChunks: Buffer[] = []
/** Below 0x80, so that the length is one byte. */
const SHORT_TEXT_CHARS = 40

export function encodeRows<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Buffer[] {
  const writer = new RowBinaryWriter()
  for (const row of rows) writer.row(columns, row)
  return writer.take()
}

/**
 * Rows as a list of chunks. Chunks are used again: a buffer that grows by doubling, and is new at every flush, leaves
 * hundreds of megabytes behind for the collector of garbage.
 */
export class RowBinaryWriter {
  #full: Buffer[] = []
  #buffer: Buffer
  #length = 0
  #fullBytes = 0
  rows = 0

  constructor() {
    this.#buffer = freeChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
  }

  get sizeBytes(): number {
    return this.#fullBytes + this.#length
  }

  /** Hands over the bytes and begins anew. Give them back with `release` when they are written. */
  take(): Buffer[] {
    const taken = [...this.#full, this.#buffer.subarray(0, this.#length)]
    this.#full = []
    this.#fullBytes = 0
    this.#buffer = freeChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.#length = 0
    this.rows = 0
    return taken
  }

  static release(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      if (freeChunks.length >= FREE_CHUNKS_MAX) return
      if (chunk.buffer.byteLength === CHUNK_BYTES) freeChunks.push(Buffer.from(chunk.buffer))
    }
  }

  row<Row>(columns: readonly Column<Row>[], row: Row): void {
    for (const column of columns) WRITE[column.type](this, column.of(row))
    this.rows++
  }

  /** The same bytes as `row(MESSAGE_COLUMNS, …)`, spelled out: half of all cells that are ever written are these (tested). */
  message(row: MessageRow): void {
    const { observed } = row
    const { message } = observed
    this.text(message.callId.length > CALL_ID_MAX ? message.callId.slice(0, CALL_ID_MAX) : message.callId)
    this.uint64(observed.capturedAtUs)
    this.hex16(observed.hash)
    this.uint64(row.receivedAtUs)
    this.uint32(row.storedAtS)
    this.text(observed.agent)
    this.text(row.transport)
    this.uint8(row.ipProtocol)
    this.text(observed.sourceAddress)
    this.uint16(observed.sourcePort)
    this.text(observed.destinationAddress)
    this.uint16(observed.destinationPort)
    this.text(methodLabel(message.method))
    this.uint16(message.statusCode)
    this.uint64(message.cseqNumber)
    this.text(message.parseError)
    this.uint8(observed.frameFlags)
    this.uint8(message.truncated ? 1 : 0)
    this.bytes(row.raw)
    this.rows++
  }

  /** The same bytes as `row(ATTEMPT_COLUMNS, …)`, spelled out: most other cells are these, and a call a cell is dear (tested). */
  attempt(row: AttemptRow): void {
    const { attempt: x } = row
    this.uint32(x.minuteS)
    this.hex16(x.attemptId)
    this.uint64(row.version)
    this.uint8(row.isDeleted ? 1 : 0)
    this.uint16(row.busPartition)
    this.uint32(row.storedAtS)
    this.uint32(x.endMinuteS)
    this.text(x.state)
    this.text(x.party)
    this.text(x.carrier)
    this.text(x.customer)
    this.text(x.site)
    this.text(x.direction)
    this.text(x.attributionRule)
    this.text(x.callId)
    this.text(x.fromTag)
    this.text(x.addressLow)
    this.text(x.addressHigh)
    this.text(x.sbcAddress)
    this.text(x.farAddress)
    this.uint16(x.farPort)
    this.text(x.clockAgent)
    this.uint64(x.invitedAtUs)
    this.uint64(x.first100AtUs)
    this.uint64(x.first18xAtUs)
    this.uint64(x.first180AtUs)
    this.uint64(x.firstSdp18xAtUs)
    this.uint64(x.cancelledAtUs)
    this.uint64(x.finalAtUs)
    this.uint64(x.answeredAtUs)
    this.uint64(x.ackedAtUs)
    this.uint64(x.byeAtUs)
    this.uint64(x.byeFinalAtUs)
    this.uint16(x.tries)
    this.uint16(x.inviteRetransmissions)
    this.uint16(x.earlyDialogs)
    this.nullable(x.pddMs)
    this.uint16(x.pddMs === null ? 0 : delayBucket(x.pddMs))
    this.nullable(x.ringDelayMs)
    this.nullable(x.mediaDelayMs)
    this.nullable(x.firstResponseMs)
    this.nullable(x.failDelayMs)
    this.nullable(x.authMs)
    this.nullable(x.durationMs)
    this.nullable(x.ringBeforeCancelMs)
    this.uint16(x.finalCode)
    this.text(x.finalPhrase)
    this.uint16(x.q850Cause)
    this.text(x.q850Location)
    this.texts(x.reasons)
    this.text(x.disposition)
    this.text(x.sli)
    this.uint8(x.nerNumerator)
    this.uint8(x.nerDenominator)
    this.text(x.cancelClass)
    this.text(x.cancelReason)
    this.uint8(x.rang ? 1 : 0)
    this.uint8(x.invited ? 1 : 0)
    this.text(x.byeFrom)
    this.text(x.attestation)
    this.text(x.identities.length === 0 ? '[]' : JSON.stringify(x.identities))
    this.text(x.calledNumber)
    this.text(x.dialledNumber)
    this.text(x.callingNumber)
    this.text(x.fromNumber)
    this.text(x.requestUri)
    this.text(x.userAgent)
    this.text(x.sdpOfferHash)
    this.text(x.sdpAnswerHash)
    this.texts(x.toTags)
    this.texts(x.agents)
    this.texts(x.flags)
    this.text(row.factsText)
    this.rows++
  }

  uint8(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  uint16(value: number): void {
    this.#reserve(2)
    this.#length = this.#buffer.writeUInt16LE(Math.min(value, 0xffff), this.#length)
  }

  uint32(value: number): void {
    this.#reserve(4)
    this.#length = this.#buffer.writeUInt32LE(value >>> 0, this.#length)
  }

  /** A safe integer, also a negative one (as two's complement). */
  uint64(value: number): void {
    this.#reserve(8)
    const low = value >>> 0
    this.#buffer.writeUInt32LE(low, this.#length)
    this.#buffer.writeInt32LE(((value - low) / 0x1_0000_0000) | 0, this.#length + 4)
    this.#length += 8
  }

  float64(value: number): void {
    this.#reserve(8)
    this.#length = this.#buffer.writeDoubleLE(value, this.#length)
  }

  nullable(value: number | null): void {
    this.uint8(value === null ? 1 : 0)
    if (value !== null) this.float64(value)
  }

  hex16(hex: string): void {
    this.#reserve(16)
    this.#buffer.write(hex, this.#length, 16, 'hex')
    this.#length += 16
  }

  text(value: string): void {
    if (value.length <= SHORT_TEXT_CHARS && this.#shortAscii(value)) return
    // Most texts are ASCII: then the length in bytes is the length in chars.
    const sizeBytes = Buffer.byteLength(value, 'utf8')
    this.#varint(sizeBytes)
    this.#reserve(sizeBytes)
    this.#buffer.write(value, this.#length, sizeBytes === value.length ? 'latin1' : 'utf8')
    this.#length += sizeBytes
  }

  /** A short text char by char: the way into native code and back costs more than that. False if it is not ASCII. */
  #shortAscii(value: string): boolean {
    const length = value.length
    this.#reserve(length + 1)
    const buffer = this.#buffer
    let at = this.#length
    buffer[at++] = length
    for (let char = 0; char < length; char++) {
      const code = value.charCodeAt(char)
      if (code > 0x7f) return false
      buffer[at++] = code
    }
    this.#length = at
    return true
  }

  bytes(value: Buffer): void {
    this.#varint(value.length)
    this.#reserve(value.length)
    value.copy(this.#buffer, this.#length)
    this.#length += value.length
  }

  texts(values: readonly string[]): void {
    this.#varint(values.length)
    for (const value of values) this.text(value)
  }

  #varint(value: number): void {
    this.#reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#length++] = rest
  }

  #reserve(sizeBytes: number): void {
    if (this.#length + sizeBytes <= this.#buffer.length) return
    this.#full.push(this.#buffer.subarray(0, this.#length))
    this.#fullBytes += this.#length
    const isLarge = sizeBytes > CHUNK_BYTES
    this.#buffer = isLarge
      ? Buffer.allocUnsafeSlow(sizeBytes)
      : (freeChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES))
    this.#length = 0
  }
}
