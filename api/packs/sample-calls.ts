/**
 * The messages of the sample calls: of each attempt those between us and the carrier, and no others.
 *
 * A call has more legs (the customer's, those of other carriers when a proxy hunts under one Call-ID). A pack goes to the
 * carrier, so it holds what that carrier sent and was sent: messages between the two addresses of the leg, with the tag of the
 * attempt. What cannot be read is left out, because whose it is cannot be told. So a pack is the same for who may see all
 * carriers and for who may see this one.
 *
 * Throws   TRUNKSCOPE_API_PACK_TOO_LARGE when the messages together are more than a pack may hold.
 */
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import type { SipMessage } from '../../schemas/sip-message.js'
import { CALL_ID_MAX } from '../../schemas/sip-messages.js'
import { readSdp, sdpBodyOf } from '../../sip/sdp.js'
import { readableText, readSip } from '../../sip/sip-message.js'
import type { AttemptJson } from '../attempts/attempt-json.js'
import type { StoredMessage } from '../attempts/call-messages.js'
import type { LadderMessage } from '../attempts/ladder.js'
import { type MessageJson, rankOf } from '../attempts/messages.js'
import type { FoundAttempt } from '../attempts/search.js'
import { ApiError } from '../errors.js'
import type { Readers } from '../readers.js'
import { isoUsOf } from '../time-span.js'

/** A hostile peer may send endless messages under one Call-ID. */
export const MESSAGES_MAX = 500
export const MESSAGES_MAX_BYTES = 64 * 2 ** 20
const CALLS_AT_ONCE = 50

export interface SampleCall {
  attempt: AttemptJson
  messages: readonly StoredMessage[]
  /** There are more than MESSAGES_MAX. */
  isCut: boolean
}

interface Row {
  call_id: string
  captured_at_us: string
  stored_s: number
  agent: string
  ip_protocol: number
  source_address: string
  source_port: number
  destination_address: string
  destination_port: number
  raw_base64: string
}

export interface SampleCalls {
  calls: SampleCall[]
  /** When the last of the messages was stored; 0 without one. */
  storedS: number
}

export async function readSampleCalls(
  readers: Readers,
  sample: readonly FoundAttempt[],
  breath: () => Promise<void>,
  bytesMax = MESSAGES_MAX_BYTES,
): Promise<SampleCalls> {
  const calls: SampleCall[] = []
  let bytes = 0
  let storedS = 0
  for (let at = 0; at < sample.length; at += CALLS_AT_ONCE) {
    const some = sample.slice(at, at + CALLS_AT_ONCE)
    const rows = await readRows(readers, some)
    for (const { attempt, key } of some) {
      const ofLeg = rows.get(legKey(columnOf(key.callId), ...key.addresses)) ?? []
      for (const { stored_s } of ofLeg) storedS = Math.max(storedS, stored_s)
      const messages = ofLeg
        .slice(0, MESSAGES_MAX)
        .map(messageOf)
        .filter(({ payload }) => isOf(readSip(payload), key.fromTag))
      bytes += messages.reduce((sum, { payload }) => sum + payload.length, 0)
      if (bytes > bytesMax) throw tooLarge(calls.length, sample.length, bytesMax)
      calls.push({ attempt, messages, isCut: ofLeg.length > MESSAGES_MAX })
      await breath()
    }
  }
  return { calls, storedS }
}

function tooLarge(fit: number, asked: number, bytesMax: number): ApiError {
  const fewer = Math.max(1, Math.floor(fit * 0.9))
  return new ApiError(
    'TRUNKSCOPE_API_PACK_TOO_LARGE',
    `the messages of ${asked} calls are more than the ${Math.round(bytesMax / 2 ** 20)} MiB that a pack may hold; ` +
      `write calls=${fewer} or fewer`,
    { parameter: 'calls' },
  )
}

const COLUMNS = `call_id, toUnixTimestamp64Micro(captured_at) AS captured_at_us, toUInt32(stored_at) AS stored_s, agent, ip_protocol,
  source_address, source_port, destination_address, destination_port, base64Encode(raw) AS raw_base64`
const EACH_LEG =
  'call_id, least(source_address, destination_address), greatest(source_address, destination_address)'

/** By leg and Call-ID, in the order of capture. */
async function readRows(readers: Readers, some: readonly FoundAttempt[]): Promise<Map<string, Row[]>> {
  const found = new Map<string, Row[]>()
  const keep = (rows: readonly Row[]) => {
    for (const row of rows) {
      const key = legKey(row.call_id, row.source_address, row.destination_address)
      const of = found.get(key)
      if (of === undefined) found.set(key, [row])
      else of.push(row)
    }
  }
  const statement = (callIds: readonly string[], addresses: readonly string[], within: Readers) =>
    within.selectMasked<Row, Row>(
      `SELECT ${COLUMNS} FROM sip_messages FINAL
       WHERE call_id IN {call_ids:Array(String)} AND source_address IN {addresses:Array(String)}
         AND destination_address IN {addresses:Array(String)}
       ORDER BY call_id, captured_at, row_id LIMIT {limit:UInt32} BY ${EACH_LEG}`,
      { call_ids: callIds, addresses, limit: MESSAGES_MAX + 1 },
      (row) => row,
      // The route needs the role investigator; whatever asks otherwise gets no text.
      (row) => ({ ...row, raw_base64: '' }),
    )
  const keys = some.map(({ key }) => ({ callId: columnOf(key.callId), addresses: key.addresses }))
  if (readers.principal.carriers === 'all') {
    const addresses = [...new Set(keys.flatMap((key) => key.addresses))]
    keep(await statement([...new Set(keys.map(({ callId }) => callId))], addresses, readers))
    return found
  }
  // Who may see some carriers reads leg by leg: that is how messages are opened (readers.ts).
  const legs = new Map(keys.map((key) => [legKey(key.callId, ...key.addresses), key]))
  for (const leg of legs.values()) keep(await statement([leg.callId], leg.addresses, readers.ofLeg(leg)))
  return found
}

function legKey(callId: string, ...ends: readonly string[]): string {
  return [callId, ...[...ends].sort()].join('\n')
}

/** The column holds this much of it. */
function columnOf(callId: string): string {
  return callId.slice(0, CALL_ID_MAX)
}

/** A request of the callee carries the caller's tag in To. */
function isOf({ parseError, fromTag: from, toTag }: SipMessage, fromTag: string): boolean {
  return parseError === '' && (from === fromTag || toTag === fromTag)
}

function messageOf(row: Row): StoredMessage {
  return {
    capturedAtUs: Number(row.captured_at_us),
    agent: row.agent,
    ipProtocol: row.ip_protocol,
    sourceAddress: row.source_address,
    sourcePort: row.source_port,
    destinationAddress: row.destination_address,
    destinationPort: row.destination_port,
    payload: Buffer.from(row.raw_base64, 'base64'),
  }
}

/** As a ladder takes them; in the order of SIP where two have one microsecond. */
export function ladderMessagesOf({ attempt, messages }: SampleCall): (LadderMessage & { rank: number })[] {
  return messages
    .map((stored) => {
      const sip = readSip(stored.payload)
      return {
        message: messageJsonOf(stored, sip),
        digest: hash('sha256', stored.payload, 'hex'),
        media: sip.hasSdp ? readSdp(sdpBodyOf(stored.payload, sip)).media : [],
        fromTag: attempt.from_tag,
        attemptId: attempt.attempt_id,
        rank: rankOf(sip.method, sip.statusCode),
      }
    })
    .sort(
      (a, b) =>
        a.message.captured_at_us - b.message.captured_at_us ||
        a.message.cseq_number - b.message.cseq_number ||
        a.rank - b.rank,
    )
}

function messageJsonOf(stored: StoredMessage, sip: SipMessage): MessageJson {
  const { payload } = stored
  const raw = payload.toString(isUtf8(payload) ? 'utf8' : 'latin1')
  const lineEnd = raw.search(/[\r\n]/)
  return {
    captured_at: isoUsOf(stored.capturedAtUs),
    captured_at_us: stored.capturedAtUs,
    offset_ms: 0,
    received_at: '',
    agent: stored.agent,
    transport: '',
    ip_protocol: stored.ipProtocol,
    source: { address: stored.sourceAddress, port: stored.sourcePort },
    destination: { address: stored.destinationAddress, port: stored.destinationPort },
    method: sip.method,
    status_code: sip.statusCode,
    cseq_number: sip.cseqNumber,
    cseq_method: readableText(sip.cseqMethod),
    start_line: (lineEnd < 0 ? raw : raw.slice(0, lineEnd)).slice(0, 512),
    parse_error: sip.parseError,
    truncated: sip.truncated,
    frame_flags: [],
    raw,
  }
}
