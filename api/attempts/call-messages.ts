// tidy: tested by test/api/attempts/pcap.test.ts
/**
 * The stored messages of a whole call: of every leg that shares the Call-ID of an attempt, for the exports.
 *
 * Takes    the key of an attempt that was found (search.ts).
 * Returns  messages as they are stored (redacted, byte for byte), by capture time, each once. Who may see all carriers gets
 *          whatever has the Call-ID; who may see some gets, leg by leg of the attempts that it may see, what is certain to be
 *          of that attempt, as on the page of the attempt. `isCut`: there are more than MESSAGES_MAX.
 */
import type { CapturedMessage } from '../../sip/pcap-messages.js'
import { readSip } from '../../sip/sip-message.js'
import type { Leg, Readers } from '../readers.js'
import type { AttemptKey } from './search.js'

/** As many as a page shows of one leg: a hostile peer may send endless messages under one Call-ID. */
const MESSAGES_MAX = 2_000
const LEGS_MAX = 100

export interface StoredMessage extends CapturedMessage {
  agent: string
}

export interface CallMessages {
  messages: StoredMessage[]
  isCut: boolean
}

interface Row {
  row_id: string
  captured_at_us: string
  agent: string
  ip_protocol: number
  source_address: string
  source_port: number
  destination_address: string
  destination_port: number
  raw_base64: string
}

export async function messagesOfCall(readers: Readers, key: AttemptKey): Promise<CallMessages> {
  const found = new Map<string, StoredMessage>()
  let isCut = false
  const keep = (rows: readonly (readonly [id: string, message: StoredMessage])[], fromTag?: string) => {
    if (rows.length > MESSAGES_MAX) isCut = true
    for (const [id, message] of rows.slice(0, MESSAGES_MAX)) {
      if (fromTag === undefined || isCertain(message.payload, fromTag)) found.set(id, message)
    }
  }
  if (readers.principal.carriers === 'all') keep(await read(readers, key.callId))
  else {
    for (const seen of await seenLegs(readers, key)) {
      keep(await read(readers.ofLeg(seen), seen.callId), seen.fromTag)
    }
  }
  const messages = [...found.values()].sort((a, b) => a.capturedAtUs - b.capturedAtUs)
  if (messages.length > MESSAGES_MAX) isCut = true
  return { messages: messages.slice(0, MESSAGES_MAX), isCut }
}

/** Attempts of the call that the principal may see: the store holds the statement to its carriers. */
function seenLegs(readers: Readers, { callId }: AttemptKey): Promise<AttemptKey[]> {
  return readers.selectMasked<
    Record<'call_id' | 'from_tag' | 'address_low' | 'address_high', string>,
    AttemptKey
  >(
    `SELECT call_id, from_tag, address_low, address_high FROM call_attempts FINAL
     WHERE call_id = {call_id:String} AND state != 'fragment' ORDER BY minute, attempt_id LIMIT {limit:UInt32}`,
    { call_id: callId, limit: LEGS_MAX },
    (row) => ({
      callId: columnOf(row.call_id),
      fromTag: row.from_tag,
      addresses: [row.address_low, row.address_high],
    }),
    // What finds messages leaves in no answer.
    (leg) => leg,
  )
}

function read(readers: Readers, callId: string): Promise<[string, StoredMessage][]> {
  return readers.selectMasked<Row, [string, StoredMessage]>(
    `SELECT hex(row_id) AS row_id, toUnixTimestamp64Micro(captured_at) AS captured_at_us, agent, ip_protocol,
       source_address, source_port, destination_address, destination_port, base64Encode(raw) AS raw_base64
     FROM sip_messages FINAL WHERE call_id = {call_id:String}
     ORDER BY captured_at, row_id LIMIT {limit:UInt32}`,
    { call_id: columnOf(callId), limit: MESSAGES_MAX + 1 },
    (row) => [
      row.row_id,
      {
        capturedAtUs: Number(row.captured_at_us),
        agent: row.agent,
        ipProtocol: row.ip_protocol,
        sourceAddress: row.source_address,
        sourcePort: row.source_port,
        destinationAddress: row.destination_address,
        destinationPort: row.destination_port,
        payload: Buffer.from(row.raw_base64, 'base64'),
      },
    ],
    // The routes need the role investigator; whatever asks otherwise gets no text.
    ([id, message]) => [id, { ...message, payload: Buffer.alloc(0) }],
  )
}

/** The column holds this much of it (schemas/sip-messages.ts). */
function columnOf(callId: Leg['callId']): string {
  return callId.slice(0, 512)
}

/** What cannot be read might be of another carrier's call. */
function isCertain(payload: Buffer, fromTag: string): boolean {
  const { parseError, fromTag: from, toTag } = readSip(payload)
  return parseError === '' && (from === fromTag || toTag === fromTag)
}
