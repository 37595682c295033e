/**
 * The stored messages of an attempt, in their true order.
 *
 * Takes    the key of an attempt that was found (search.ts): its leg and Call-ID find the messages, its From tag tells those
 *          of another attempt apart. Who may see some carriers gets no message of which it is not certain that it is this
 *          leg's and this attempt's.
 * Returns  messages by capture time; where two have the same microsecond, by CSeq and then as SIP has them: INVITE, 1xx,
 *          final, ACK (metrics.md §13.3). Two agents' clocks are not reconciled: `agents` says that there is more than one.
 */
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { z } from 'zod'
import { HEP_FLAG } from '../../schemas/hep-frame.js'
import type { SipMessage } from '../../schemas/sip-message.js'
import { readSdp, type SdpMedia, sdpBodyOf } from '../../sip/sdp.js'
import { readableText, readSip } from '../../sip/sip-message.js'
import { maskedMessage, maskedText } from '../masking.js'
import type { Leg, Readers } from '../readers.js'
import { isoUsOf } from '../time-span.js'
import type { AttemptKey } from './search.js'

/** A hostile peer may send endless messages under one Call-ID. */
const MESSAGES_MAX = 2_000

export const sipMessage = z
  .object({
    captured_at: z.string(),
    captured_at_us: z.number(),
    offset_ms: z.number().describe('After the first message.'),
    received_at: z.string(),
    agent: z.string(),
    transport: z.string().describe('How the HEP frame came.'),
    ip_protocol: z.number().describe('Of the SIP message: 17 UDP, 6 TCP; 0 not told.'),
    source: z.object({ address: z.string(), port: z.number() }),
    destination: z.object({ address: z.string(), port: z.number() }),
    method: z.string(),
    status_code: z.number(),
    cseq_number: z.number(),
    cseq_method: z.string(),
    start_line: z.string(),
    parse_error: z.string(),
    truncated: z.boolean(),
    frame_flags: z.array(z.string()),
    raw: z
      .string()
      .describe(
        'As it arrived, redacted; UTF-8 where it is, else one char a byte. Empty for the role viewer.',
      ),
  })
  .meta({ title: 'SIP message' })

export type MessageJson = z.output<typeof sipMessage>

interface MessageRow {
  captured_at_us: string
  received_at_us: string
  agent: string
  transport: string
  ip_protocol: number
  source_address: string
  source_port: number
  destination_address: string
  destination_port: number
  method: string
  status_code: number
  cseq_number: string
  parse_error: string
  frame_flags: number
  truncated: boolean
  raw_base64: string
}

/** A message, and what a ladder needs of it beside. `digest` is to compare with, `media` is masked like the message. */
export interface ReadMessage {
  message: MessageJson
  /** Of all its bytes: a retransmission and the copy of another agent have the same. */
  digest: string
  media: readonly SdpMedia[]
  /** The From tag of the attempt that it belongs to; '' where that cannot be read. */
  fromTag: string
}

interface RankedMessage extends ReadMessage {
  rank: number
  belongs: boolean
}

export async function messagesOf(
  readers: Readers,
  key: AttemptKey,
): Promise<{ messages: MessageJson[]; isCut: boolean }> {
  const { read, isCut } = await readMessagesOf(readers, key, [key.fromTag])
  const messages = read.map(({ message }) => message)
  const firstUs = messages[0]?.captured_at_us ?? 0
  for (const message of messages) message.offset_ms = (message.captured_at_us - firstUs) / 1_000
  return { messages, isCut }
}

/** Messages of the attempts with these From tags on one leg. */
export async function readMessagesOf(
  readers: Readers,
  { callId, addresses }: Leg,
  fromTags: readonly string[],
): Promise<{ read: ReadMessage[]; isCut: boolean }> {
  // The column holds this much of it (schemas/sip-messages.ts).
  const leg = { callId: callId.slice(0, 512), addresses }
  const isHeld = readers.principal.carriers !== 'all'
  const rows = await readers.ofLeg(leg).selectMasked<MessageRow, RankedMessage>(
    `SELECT toUnixTimestamp64Micro(captured_at) AS captured_at_us, toUnixTimestamp64Micro(received_at) AS received_at_us,
       agent, transport, ip_protocol, source_address, source_port, destination_address,
       destination_port, method, status_code, cseq_number, parse_error, frame_flags, truncated,
       base64Encode(raw) AS raw_base64
     FROM sip_messages FINAL
     WHERE call_id = {call_id:String} AND (source_address IN {leg:Array(String)} OR source_address = '')
       AND (destination_address IN {leg:Array(String)} OR destination_address = '')
       AND (source_address != destination_address OR source_address = '' OR length(arrayDistinct({leg:Array(String)})) = 1)
     ORDER BY captured_at, row_id LIMIT {limit:UInt32}`,
    {
      call_id: leg.callId,
      leg: [...leg.addresses],
      limit: MESSAGES_MAX + 1,
    },
    (row) => {
      const bytes = Buffer.from(row.raw_base64, 'base64')
      const sip = readSip(bytes)
      return {
        message: messageJsonOf(row, bytes, sip),
        digest: hash('sha256', bytes, 'hex'),
        media: sip.hasSdp ? readSdp(sdpBodyOf(bytes, sip)).media : [],
        fromTag: fromTags.find((tag) => tag === sip.fromTag || tag === sip.toTag) ?? '',
        rank: rankOf(sip.method, sip.statusCode),
        belongs: fromTags.some((tag) => belongs(sip, tag, isHeld)),
      }
    },
    (read) => ({ ...read, message: maskedMessage(read.message), media: read.media.map(maskedMedia) }),
  )
  const isCut = rows.length > MESSAGES_MAX
  if (isCut) rows.length = MESSAGES_MAX
  const read = rows
    .filter((row) => row.belongs)
    .sort(
      (a, b) =>
        a.message.captured_at_us - b.message.captured_at_us ||
        a.message.cseq_number - b.message.cseq_number ||
        a.rank - b.rank,
    )
  return { read, isCut }
}

/**
 * A request of the callee carries the caller's tag in To. What cannot be read is shown rather than hidden, but for who may
 * see some carriers: it might be of another's call.
 */
function belongs(sip: SipMessage, fromTag: string, isHeld: boolean): boolean {
  if (sip.parseError !== '' || (sip.fromTag === '' && sip.toTag === '')) return !isHeld
  return sip.fromTag === fromTag || sip.toTag === fromTag
}

/** As SIP has them within one transaction. */
export function rankOf(method: string, statusCode: number): number {
  if (statusCode === 0) return { INVITE: 0, CANCEL: 1, ACK: 5 }[method] ?? 0
  return statusCode < 200 ? 2 + statusCode / 1_000 : 4
}

function maskedMedia(media: SdpMedia): SdpMedia {
  return {
    ...media,
    kind: maskedText(media.kind),
    transport: maskedText(media.transport),
    formats: media.formats.map(maskedText),
    address: maskedText(media.address),
  }
}

function messageJsonOf(row: MessageRow, bytes: Buffer, sip: SipMessage): MessageJson {
  const raw = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1')
  const capturedAtUs = Number(row.captured_at_us)
  const lineEnd = raw.search(/[\r\n]/)
  return {
    captured_at: isoUsOf(capturedAtUs),
    captured_at_us: capturedAtUs,
    offset_ms: 0,
    received_at: isoUsOf(Number(row.received_at_us)),
    agent: row.agent,
    transport: row.transport,
    ip_protocol: row.ip_protocol,
    source: { address: row.source_address, port: row.source_port },
    destination: { address: row.destination_address, port: row.destination_port },
    method: row.method,
    status_code: row.status_code,
    cseq_number: Number(row.cseq_number),
    cseq_method: readableText(sip.cseqMethod),
    start_line: (lineEnd < 0 ? raw : raw.slice(0, lineEnd)).slice(0, 512),
    parse_error: row.parse_error,
    truncated: row.truncated,
    frame_flags: Object.entries(HEP_FLAG)
      .filter(([, bit]) => (row.frame_flags & bit) !== 0)
      .map(([name]) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    raw,
  }
}
