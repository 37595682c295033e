/**
 * The few lines of an SDP that say where the media goes: c=, m= and the direction attributes.
 *
 * Takes    (`readSdp`) an SDP body as latin1 text; (`sdpHash`) a message with its bytes.
 * Returns  `readSdp`: session address and the media sections, at most MEDIA_MAX of them.
 *          `sdpHash`: 16 hex digits over what a far side means by its SDP: per media section its kind, port,
 *          transport, formats, direction and address. Two SDPs that say the same in other words (address or
 *          direction at session level, another o= or t= line, other attributes) have the same hash.
 *          '' without SDP, and for a truncated message: half an SDP would look like a changed one.
 * Throws   nothing. One pass over the lines.
 * Source   RFC 8866 §5 (m=, c=), §6.7 (direction, default sendrecv); metrics.md §5, EM_SDP_CHANGED.
 */
import { hash } from 'node:crypto'
import type { SipMessage } from '../schemas/sip-message.js'

export const MEDIA_MAX = 64

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'

export interface SdpMedia {
  /** 'audio', 'video', 'image' (T.38), … */
  kind: string
  /** 0 when refused or not a number. */
  port: number
  transport: string
  /** Payload types or format names; one defined by an rtpmap line reads '96=opus/48000'. */
  formats: string[]
  direction: Direction
  /** Address of this section, or of the session; '' when neither has one. */
  address: string
}

export interface Sdp {
  connectionAddress: string
  media: SdpMedia[]
}

export function readSdp(body: string): Sdp {
  const sdp: Sdp = { connectionAddress: '', media: [] }
  let sessionDirection: Direction = 'sendrecv'
  let section: SdpMedia | undefined
  let at = 0
  while (at < body.length) {
    const newline = body.indexOf('\n', at)
    const next = newline < 0 ? body.length : newline + 1
    if (body.charCodeAt(at + 1) === 0x3d) {
      const letter = body.charCodeAt(at)
      if (letter === 0x6d) {
        if (sdp.media.length === MEDIA_MAX) return sdp
        section = mediaSection(lineValue(body, at, next), sdp.connectionAddress, sessionDirection)
        sdp.media.push(section)
      } else if (letter === 0x63) {
        const address = connectionAddress(lineValue(body, at, next))
        if (section === undefined) sdp.connectionAddress = address
        else section.address = address
      } else if (letter === 0x61) {
        const value = lineValue(body, at, next)
        if (isDirection(value)) {
          if (section === undefined) sessionDirection = value
          else section.direction = value
        } else if (section !== undefined && value.startsWith('rtpmap:')) {
          nameFormat(section, value)
        }
      }
    }
    at = next
  }
  return sdp
}

function lineValue(body: string, at: number, next: number): string {
  return body.slice(at + 2, next).trim()
}

/** `audio 49170/2 RTP/AVP 0 8 101` */
function mediaSection(value: string, address: string, direction: Direction): SdpMedia {
  const words = value.split(/[ \t]+/, 3 + MEDIA_MAX)
  const portText = words[1] ?? ''
  const slash = portText.indexOf('/')
  const port = Number(slash < 0 ? portText : portText.slice(0, slash))
  return {
    kind: (words[0] ?? '').toLowerCase(),
    port: Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : 0,
    transport: (words[2] ?? '').toUpperCase(),
    formats: words.slice(3),
    direction,
    address,
  }
}

/** `IN IP4 224.2.1.1/127/3` to the address without time to live and count. */
function connectionAddress(value: string): string {
  const address = value.slice(value.lastIndexOf(' ') + 1)
  const slash = address.indexOf('/')
  return (slash < 0 ? address : address.slice(0, slash)).toLowerCase()
}

/** Types below 96 mean the same codec with and without an rtpmap line, so only dynamic ones take the name. */
function nameFormat(section: SdpMedia, value: string): void {
  const space = value.indexOf(' ')
  if (space < 0) return
  const type = value.slice(7, space)
  const index = section.formats.indexOf(type)
  if (index >= 0 && Number(type) >= 96)
    section.formats[index] = `${type}=${value
      .slice(space + 1)
      .trim()
      .toLowerCase()}`
}

function isDirection(value: string): value is Direction {
  return value === 'sendrecv' || value === 'sendonly' || value === 'recvonly' || value === 'inactive'
}

/** The SDP text of a message: its body, or the SDP part of a multipart body; '' when there is none. */
export function sdpBodyOf(bytes: Buffer, message: SipMessage): string {
  if (!message.hasSdp) return ''
  const body = bytes.toString('latin1', message.bodyOffset, message.bodyOffset + message.bodyLength)
  if (!isMultipart(message.contentType)) return body
  const part = findSdpPart(body, 0, body.length)
  if (part < 0) return ''
  // No line of an SDP begins with '--', so the next boundary, whichever it is, ends the part.
  if (body.startsWith('--', part)) return ''
  const end = body.indexOf('\n--', part)
  return end < 0 ? body.slice(part) : body.slice(part, end + 1)
}

export function sdpHash(bytes: Buffer, message: SipMessage): string {
  if (!message.hasSdp || message.truncated) return ''
  const body = sdpBodyOf(bytes, message)
  if (body === '') return ''
  const { media, connectionAddress } = readSdp(body)
  let text = media.length === 0 ? connectionAddress : ''
  for (const { kind, port, transport, formats, direction, address } of media) {
    text += `${kind} ${port} ${transport} ${formats.join(' ')} ${direction} ${address}\n`
  }
  return hash('sha256', text, 'hex').slice(0, 16)
}

export function isMultipart(contentType: string): boolean {
  return contentType.length >= 10 && contentType.slice(0, 10).toLowerCase() === 'multipart/'
}

/**
 * Offset of the SDP in a multipart body, or -1. It does not use the boundary: a line "Content-Type:
 * application/sdp" followed by an empty line finds the part at any depth of nesting, in one pass.
 */
export function findSdpPart(text: string, from: number, to: number): number {
  let at = from
  let announced = false
  while (at < to) {
    const newline = text.indexOf('\n', at)
    const next = newline < 0 || newline >= to ? to : newline + 1
    const code = text.charCodeAt(at)
    if ((code | 0x20) === 0x63) {
      if (isSdpContentType(text, at, next)) announced = true
    } else if (announced && (code === 0x0a || code === 0x0d)) {
      return next
    } else if (code === 0x2d && text.charCodeAt(at + 1) === 0x2d) {
      announced = false
    }
    at = next
  }
  return -1
}

function isSdpContentType(text: string, at: number, next: number): boolean {
  if (next - at > 256) return false
  const line = text.slice(at, next).toLowerCase()
  if (!line.startsWith('content-type')) return false
  const colon = line.indexOf(':')
  return colon >= 0 && isSdpType(line.slice(colon + 1).trim())
}

/** Whether a Content-Type value is application/sdp, with or without parameters. */
export function isSdpType(contentType: string): boolean {
  if (contentType.length < 15) return false
  if (contentType !== 'application/sdp' && contentType.slice(0, 15).toLowerCase() !== 'application/sdp')
    return false
  if (contentType.length === 15) return true
  const code = contentType.charCodeAt(15)
  return code === 0x3b || code === 0x20 || code === 0x09
}
