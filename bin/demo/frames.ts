/**
 * Puts messages into HEP3 frames, byte for byte as `sip/hep3.ts` writes them.
 *
 * Takes    a route, a time, and the SIP text (ASCII).
 * Returns  the frame. All chunks before the payload are the same for a route but for the time, so they are kept, one
 *          template a route: five times as fast as putting each frame together from its chunks.
 * Throws   RangeError for a message that fits in no frame.
 */
import { encodeHep3, HEP3_CHUNK_HEADER_BYTES, HEP3_FRAME_MAX_BYTES } from '../../sip/hep3.js'
import type { TimedMessage } from './calls.js'
import type { Route } from './network.js'

interface Template {
  bytes: Buffer
  /** Where the value of the seconds chunk stands; that of the microseconds follows `MICROSECONDS_FURTHER`. */
  secondsAt: number
}

const MICROSECONDS_FURTHER = 4 + HEP3_CHUNK_HEADER_BYTES
/** Unlikely in an address or a name, so that its place can be found. */
const MARK_S = 0xfe_dc_ba_98

type Templates = WeakMap<Route, Template>
const withoutKey: Templates = new WeakMap()
const withKey = new Map<string, Templates>()

/** @param agentKey  goes into chunk 14 */
export function hepFrame({ atUs, route, text }: TimedMessage, agentKey?: string): Buffer {
  const templates = agentKey === undefined ? withoutKey : templatesWith(agentKey)
  const { bytes: head, secondsAt } = templates.get(route) ?? prepare(templates, route, agentKey)
  const length = head.length + text.length
  if (length > HEP3_FRAME_MAX_BYTES)
    throw new RangeError(`A message of ${text.length} bytes fits in no frame.`)
  const frame = Buffer.allocUnsafe(length)
  head.copy(frame)
  const seconds = Math.floor(atUs / 1_000_000)
  frame.writeUInt16BE(length, 4)
  frame.writeUInt32BE(seconds, secondsAt)
  frame.writeUInt32BE(atUs - seconds * 1_000_000, secondsAt + MICROSECONDS_FURTHER)
  frame.writeUInt16BE(HEP3_CHUNK_HEADER_BYTES + text.length, head.length - 2)
  frame.write(text, head.length, 'latin1')
  return frame
}

/** Where the capture seconds stand in the frames of a route. */
export function secondsOffset(route: Route): number {
  return (withoutKey.get(route) ?? prepare(withoutKey, route)).secondsAt
}

function templatesWith(agentKey: string): Templates {
  let templates = withKey.get(agentKey)
  if (templates === undefined) {
    templates = new WeakMap()
    withKey.set(agentKey, templates)
  }
  return templates
}

function prepare(templates: Templates, route: Route, authKey?: string): Template {
  const bytes = encodeHep3({ ...route, authKey, capturedAtUs: MARK_S * 1_000_000, payload: '' })
  const mark = Buffer.alloc(4)
  mark.writeUInt32BE(MARK_S)
  const template = { bytes, secondsAt: bytes.indexOf(mark) }
  templates.set(route, template)
  return template
}
