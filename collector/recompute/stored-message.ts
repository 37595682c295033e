/**
 * A row of `sip_messages` → the message as the fold saw it when it came.
 *
 * Takes    a row of `STORED_MESSAGE_COLUMNS`.
 * Returns  the observed message, read by today's reader from the stored text. What redaction blanked (credentials, keys,
 *          the text of MESSAGEs) is nothing the fold looks at, and it keeps every length and offset; so the facts are those
 *          of the message as it arrived (tested on the real capture).
 * Throws   nothing.
 */
import type { ObservedMessage } from '../../schemas/observed-message.js'
import { sdpHash } from '../../sip/sdp.js'
import { readSip } from '../../sip/sip-message.js'

/** Names of their own, so that conditions and order still speak of the columns. */
export const STORED_MESSAGE_COLUMNS = `call_id AS callId, toUnixTimestamp64Micro(captured_at) AS capturedAtUs,
  lower(hex(row_id)) AS rowId, agent AS agentName, source_address AS sourceAddress, source_port AS sourcePort,
  destination_address AS destinationAddress, destination_port AS destinationPort, frame_flags AS frameFlags,
  base64Encode(raw) AS rawBase64`

export interface StoredMessage {
  /** Cut to CALL_ID_MAX. */
  callId: string
  capturedAtUs: string
  rowId: string
  agentName: string
  sourceAddress: string
  sourcePort: number
  destinationAddress: string
  destinationPort: number
  frameFlags: number
  rawBase64: string
}

export function observedOf(row: StoredMessage): ObservedMessage {
  const raw = Buffer.from(row.rawBase64, 'base64')
  const message = readSip(raw)
  return {
    message,
    agent: row.agentName,
    agentId: agentIdOf(row.agentName),
    capturedAtUs: Number(row.capturedAtUs),
    sourceAddress: row.sourceAddress,
    sourcePort: row.sourcePort,
    destinationAddress: row.destinationAddress,
    destinationPort: row.destinationPort,
    frameFlags: row.frameFlags,
    hash: row.rowId,
    sdpHash: message.hasSdp ? sdpHash(raw, message) : '',
  }
}

/** `peer address/capture id/name` (collector/enrich/observe.ts); no address has a slash, a name may. */
function agentIdOf(agent: string): number {
  const id = Number(agent.split('/', 2)[1])
  return Number.isInteger(id) ? id : 0
}
