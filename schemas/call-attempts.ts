/** The columns of `call_attempts`, in the order of its DDL, and how an attempt fills them. */
import type { Attempt } from './attempt.js'
import { delayBucket } from './delay-histogram.js'

export type ColumnType =
  | 'String'
  | 'FixedString(16)'
  | 'Bool'
  | 'UInt8'
  | 'UInt16'
  | 'UInt32'
  | 'UInt64'
  | 'Int64'
  | 'Float64'
  | 'Nullable(Float64)'
  | 'DateTime'
  | 'DateTime64(6)'
  | 'Array(String)'

export interface Column<Row> {
  name: string
  type: ColumnType
  /** DateTime: seconds; DateTime64(6): microseconds; FixedString(16): 32 hex digits. */
  of: (row: Row) => unknown
}

/** What the store adds to an attempt to make a row. */
export interface AttemptRow {
  attempt: Attempt
  version: number
  isDeleted: boolean
  busPartition: number
  storedAtS: number
  factsText: string
}

const a = (name: string, type: ColumnType, of: (attempt: Attempt) => unknown): Column<AttemptRow> => ({
  name,
  type,
  of: (row) => of(row.attempt),
})

export const ATTEMPT_COLUMNS: readonly Column<AttemptRow>[] = [
  a('minute', 'DateTime', (x) => x.minuteS),
  a('attempt_id', 'FixedString(16)', (x) => x.attemptId),
  { name: 'version', type: 'UInt64', of: (row) => row.version },
  { name: 'is_deleted', type: 'UInt8', of: (row) => (row.isDeleted ? 1 : 0) },
  { name: 'bus_partition', type: 'UInt16', of: (row) => row.busPartition },
  { name: 'stored_at', type: 'DateTime', of: (row) => row.storedAtS },
  a('end_minute', 'DateTime', (x) => x.endMinuteS),
  a('state', 'String', (x) => x.state),
  a('party', 'String', (x) => x.party),
  a('carrier', 'String', (x) => x.carrier),
  a('customer', 'String', (x) => x.customer),
  a('site', 'String', (x) => x.site),
  a('direction', 'String', (x) => x.direction),
  a('attribution_rule', 'String', (x) => x.attributionRule),
  a('call_id', 'String', (x) => x.callId),
  a('from_tag', 'String', (x) => x.fromTag),
  a('address_low', 'String', (x) => x.addressLow),
  a('address_high', 'String', (x) => x.addressHigh),
  a('sbc_address', 'String', (x) => x.sbcAddress),
  a('far_address', 'String', (x) => x.farAddress),
  a('far_port', 'UInt16', (x) => x.farPort),
  a('clock_agent', 'String', (x) => x.clockAgent),
  a('invited_at_us', 'UInt64', (x) => x.invitedAtUs),
  a('first_100_at_us', 'UInt64', (x) => x.first100AtUs),
  a('first_18x_at_us', 'UInt64', (x) => x.first18xAtUs),
  a('first_180_at_us', 'UInt64', (x) => x.first180AtUs),
  a('first_sdp_18x_at_us', 'UInt64', (x) => x.firstSdp18xAtUs),
  a('cancelled_at_us', 'UInt64', (x) => x.cancelledAtUs),
  a('final_at_us', 'UInt64', (x) => x.finalAtUs),
  a('answered_at_us', 'UInt64', (x) => x.answeredAtUs),
  a('acked_at_us', 'UInt64', (x) => x.ackedAtUs),
  a('bye_at_us', 'UInt64', (x) => x.byeAtUs),
  a('bye_final_at_us', 'UInt64', (x) => x.byeFinalAtUs),
  a('tries', 'UInt16', (x) => x.tries),
  a('invite_retransmissions', 'UInt16', (x) => x.inviteRetransmissions),
  a('early_dialogs', 'UInt16', (x) => x.earlyDialogs),
  a('pdd_ms', 'Nullable(Float64)', (x) => x.pddMs),
  a('pdd_bucket', 'UInt16', (x) => (x.pddMs === null ? 0 : delayBucket(x.pddMs))),
  a('ring_delay_ms', 'Nullable(Float64)', (x) => x.ringDelayMs),
  a('media_delay_ms', 'Nullable(Float64)', (x) => x.mediaDelayMs),
  a('first_response_ms', 'Nullable(Float64)', (x) => x.firstResponseMs),
  a('fail_delay_ms', 'Nullable(Float64)', (x) => x.failDelayMs),
  a('auth_ms', 'Nullable(Float64)', (x) => x.authMs),
  a('duration_ms', 'Nullable(Float64)', (x) => x.durationMs),
  a('ring_before_cancel_ms', 'Nullable(Float64)', (x) => x.ringBeforeCancelMs),
  a('final_code', 'UInt16', (x) => x.finalCode),
  a('final_phrase', 'String', (x) => x.finalPhrase),
  a('q850_cause', 'UInt16', (x) => x.q850Cause),
  a('q850_location', 'String', (x) => x.q850Location),
  a('reasons', 'Array(String)', (x) => x.reasons),
  a('disposition', 'String', (x) => x.disposition),
  a('sli', 'String', (x) => x.sli),
  a('ner_numerator', 'UInt8', (x) => x.nerNumerator),
  a('ner_denominator', 'UInt8', (x) => x.nerDenominator),
  a('cancel_class', 'String', (x) => x.cancelClass),
  a('cancel_reason', 'String', (x) => x.cancelReason),
  a('rang', 'Bool', (x) => x.rang),
  a('invited', 'Bool', (x) => x.invited),
  a('bye_from', 'String', (x) => x.byeFrom),
  a('attestation', 'String', (x) => x.attestation),
  a('identities', 'String', (x) => (x.identities.length === 0 ? '[]' : JSON.stringify(x.identities))),
  a('called_number', 'String', (x) => x.calledNumber),
  a('dialled_number', 'String', (x) => x.dialledNumber),
  a('calling_number', 'String', (x) => x.callingNumber),
  a('from_number', 'String', (x) => x.fromNumber),
  a('request_uri', 'String', (x) => x.requestUri),
  a('user_agent', 'String', (x) => x.userAgent),
  a('sdp_offer_hash', 'String', (x) => x.sdpOfferHash),
  a('sdp_answer_hash', 'String', (x) => x.sdpAnswerHash),
  a('to_tags', 'Array(String)', (x) => x.toTags),
  a('agents', 'Array(String)', (x) => x.agents),
  a('flags', 'Array(String)', (x) => x.flags),
  { name: 'facts', type: 'String', of: (row) => row.factsText },
]
