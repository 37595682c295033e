/**
 * A frame as it arrived → the SIP message it holds, seen by whom and when; or the reason why it holds none.
 *
 * Takes    a received frame (HEP3, HEP2 or HEP1) whose structure capture has checked.
 * Returns  the observed message with its row identity and the redacted text to store, or a reason to count.
 *          Capture times more than 400 days before or an hour after their arrival are replaced by the arrival time and
 *          flagged: hostile stamps must not open partitions (design.md §4).
 * Throws   nothing.
 */
import { hash } from 'node:crypto'
import { HEP_FLAG, type HepFrame, type ReceivedFrame } from '../../schemas/hep-frame.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import type { CaptureReason, DecodeReason } from '../../schemas/reasons.js'
import type { SipMessage } from '../../schemas/sip-message.js'
import { decodeHep } from '../../sip/hep.js'
import { sipPayloadOf } from '../../sip/hep3.js'
import { redactSip } from '../../sip/redact.js'
import { sdpHash } from '../../sip/sdp.js'
import { readSip } from '../../sip/sip-message.js'

export interface Observation {
  observed: ObservedMessage
  agentName: string
  ipProtocol: number
  /** The message with credentials, keys and texts of people blanked. */
  raw: Buffer
}

export interface Refusal {
  reason: CaptureReason | DecodeReason
  /** Who sent it, where the frame could be decoded. */
  agent: string
  agentId: number
  agentName: string
  /** What of it may be kept as a sample: without the agent key. */
  sample: Buffer
}

const NOTHING = Buffer.alloc(0)

const DAY_US = 86_400_000_000
const PAST_MAX_US = 400 * DAY_US
const FUTURE_MAX_US = 3_600_000_000

/** The same text once, not once a message; bounded, because names come out of packets. */
const agentKeys = new Map<string, string>()
const AGENT_KEYS_MAX = 1_000

/** Identifies an agent: capture ids are often left at their default, so the address counts too (metrics.md §13.2). */
export function agentKey(peerAddress: string, agentId: number, agentName: string): string {
  const key =
    agentName === '' ? `${peerAddress}/${agentId}` : `${peerAddress}/${agentId}/${agentName.slice(0, 64)}`
  const known = agentKeys.get(key)
  if (known !== undefined) return known
  if (agentKeys.size >= AGENT_KEYS_MAX) agentKeys.clear()
  agentKeys.set(key, key)
  return key
}

export function observe(received: ReceivedFrame): Observation | Refusal {
  const frame = decodeHep(received.bytes, received.receivedAtUs)
  if ('reason' in frame) {
    return {
      reason: frame.reason,
      agent: agentKey(received.peerAddress, 0, ''),
      agentId: 0,
      agentName: '',
      sample: NOTHING,
    }
  }
  const agent = agentKey(received.peerAddress, frame.agentId, frame.agentName)
  const payload = sipPayloadOf(frame)
  if ('reason' in payload)
    return {
      reason: payload.reason,
      agent,
      agentId: frame.agentId,
      agentName: frame.agentName,
      sample: frame.payload,
    }

  const { capturedAtUs, flags } = captureTime(frame, received.receivedAtUs)
  const message = readSip(payload)
  const observed: ObservedMessage = {
    message,
    agent,
    agentId: frame.agentId,
    capturedAtUs,
    sourceAddress: frame.sourceAddress,
    sourcePort: frame.sourcePort,
    destinationAddress: frame.destinationAddress,
    destinationPort: frame.destinationPort,
    frameFlags: flags,
    hash: rowIdentity(agent, frame, capturedAtUs, payload),
    sdpHash: isKeptSdp(message) ? sdpHash(payload, message) : '',
  }
  return {
    observed,
    agentName: frame.agentName,
    ipProtocol: frame.ipProtocol,
    raw: redactSip(payload, message),
  }
}

/** The fold keeps the SDP of the INVITE and of its final response; hashing another costs more than reading the message. */
function isKeptSdp(message: SipMessage): boolean {
  if (!message.hasSdp || message.cseqMethod !== 'INVITE') return false
  return message.statusCode === 0 || message.statusCode >= 200
}

function captureTime(frame: HepFrame, receivedAtUs: number): { capturedAtUs: number; flags: number } {
  const { capturedAtUs, flags } = frame
  if (capturedAtUs === 0) return { capturedAtUs: receivedAtUs, flags: flags | HEP_FLAG.missingTimestamp }
  const ageUs = receivedAtUs - capturedAtUs
  if (ageUs > PAST_MAX_US || ageUs < -FUTURE_MAX_US) {
    return { capturedAtUs: receivedAtUs, flags: flags | HEP_FLAG.clampedTimestamp }
  }
  return { capturedAtUs, flags }
}

/** A HEP payload is at most 64 KiB, also when it was compressed; the rest is room for the identity's text. */
const scratch = Buffer.allocUnsafe(1 << 17)

/** 128 bits over agent, 5-tuple, capture time and the payload as it arrived: one row, however often the frame comes. */
function rowIdentity(agent: string, frame: HepFrame, capturedAtUs: number, payload: Buffer): string {
  const head =
    `${agent}|${frame.sourceAddress}|${frame.sourcePort}|${frame.destinationAddress}|${frame.destinationPort}|` +
    `${frame.ipProtocol}|${capturedAtUs}|`
  let length = scratch.write(head, 0, 'latin1')
  length += payload.copy(scratch, length)
  return hash('sha256', scratch.subarray(0, length), 'hex').slice(0, 32)
}
