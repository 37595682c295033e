/** The columns of `sip_messages`, in the order of its DDL, and how a stored message fills them. */
import type { Column } from './call-attempts.js'
import type { ObservedMessage } from './observed-message.js'

export interface MessageRow {
  observed: ObservedMessage
  receivedAtUs: number
  storedAtS: number
  transport: string
  ipProtocol: number
  /** Redacted. */
  raw: Buffer
}

/** A Call-ID longer than this is cut in the column it is looked up by; the raw text has all of it. */
export const CALL_ID_MAX = 512

export const MESSAGE_COLUMNS: readonly Column<MessageRow>[] = [
  { name: 'call_id', type: 'String', of: (row) => row.observed.message.callId.slice(0, CALL_ID_MAX) },
  { name: 'captured_at', type: 'DateTime64(6)', of: (row) => row.observed.capturedAtUs },
  { name: 'row_id', type: 'FixedString(16)', of: (row) => row.observed.hash },
  { name: 'received_at', type: 'DateTime64(6)', of: (row) => row.receivedAtUs },
  { name: 'stored_at', type: 'DateTime', of: (row) => row.storedAtS },
  { name: 'agent', type: 'String', of: (row) => row.observed.agent },
  { name: 'transport', type: 'String', of: (row) => row.transport },
  { name: 'ip_protocol', type: 'UInt8', of: (row) => row.ipProtocol },
  { name: 'source_address', type: 'String', of: (row) => row.observed.sourceAddress },
  { name: 'source_port', type: 'UInt16', of: (row) => row.observed.sourcePort },
  { name: 'destination_address', type: 'String', of: (row) => row.observed.destinationAddress },
  { name: 'destination_port', type: 'UInt16', of: (row) => row.observed.destinationPort },
  { name: 'method', type: 'String', of: (row) => methodLabel(row.observed.message.method) },
  { name: 'status_code', type: 'UInt16', of: (row) => row.observed.message.statusCode },
  { name: 'cseq_number', type: 'Int64', of: (row) => row.observed.message.cseqNumber },
  { name: 'parse_error', type: 'String', of: (row) => row.observed.message.parseError },
  { name: 'frame_flags', type: 'UInt8', of: (row) => row.observed.frameFlags },
  { name: 'truncated', type: 'Bool', of: (row) => row.observed.message.truncated },
  { name: 'raw', type: 'String', of: (row) => row.raw },
]

const METHODS = new Set([
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'REGISTER',
  'PRACK',
  'UPDATE',
  'INFO',
  'SUBSCRIBE',
  'NOTIFY',
  'REFER',
  'MESSAGE',
  'PUBLISH',
  '',
])

/** Method names come from the wire: only the registered ones become a column value of low cardinality. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : 'other'
}
