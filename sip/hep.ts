/**
 * A frame of either kind, as the spool and the bus carry it: HEP3 begins with "H", HEP1 and HEP2 with their version.
 *
 * Takes    a whole frame that capture has accepted, and when it arrived (HEP2 needs it to read its time).
 * Returns  `decodeHep`: a HepFrame, or the reason. `sipPayloadOfFrame`: the SIP bytes, for those who need no more of it.
 * Throws   nothing.
 */
import type { HepFrame } from '../schemas/hep-frame.js'
import type { CaptureReason, DecodeReason } from '../schemas/reasons.js'
import { decodeHep2 } from './hep2.js'
import { decodeHep3, sipPayloadOf } from './hep3.js'

const HEP1 = 1
const HEP2 = 2

export function isHep2(firstByte: number | undefined): boolean {
  return firstByte === HEP1 || firstByte === HEP2
}

export function decodeHep(
  bytes: Buffer,
  receivedAtUs: number,
): HepFrame | { reason: CaptureReason | DecodeReason } {
  return isHep2(bytes[0]) ? decodeHep2(bytes, receivedAtUs) : decodeHep3(bytes)
}

/** The SIP message of a frame, or why it holds none. A view into the frame where it was not compressed. */
export function sipPayloadOfFrame(bytes: Buffer): Buffer | { reason: CaptureReason | DecodeReason } {
  const frame = decodeHep(bytes, 0)
  return 'reason' in frame ? frame : sipPayloadOf(frame)
}
