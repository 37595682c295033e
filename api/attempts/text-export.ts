/**
 * A call as text: a line for each message (when, from where to where, who saw it), then the message, indented.
 *
 * Nothing in a message can pass for a line of ours, because only ours begin at the margin; signs that a terminal would obey
 * are written as \x1b. Who needs the very bytes takes the pcap.
 */
import { isUtf8 } from 'node:buffer'
import type { Readers } from '../readers.js'
import { isoUsOf } from '../time-span.js'
import { messagesOfCall, type StoredMessage } from './call-messages.js'
import type { Export } from './pcap.js'
import { findAttempt } from './search.js'

const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'TCP', 17: 'UDP', 22: 'TLS', 132: 'SCTP' }
const INDENT = '    '

export async function textExport(readers: Readers, id: string): Promise<Export> {
  const { attempt, key } = await findAttempt(readers, id)
  const { messages, isCut } = await messagesOfCall(readers, key)
  const firstUs = messages[0]?.capturedAtUs ?? 0
  const parts = messages.map((message) => textOf(message, firstUs))
  if (isCut) parts.push('There are more messages than one export holds.\n')
  return {
    fileName: `call-${attempt.attempt_id}.txt`,
    body: Buffer.from(parts.join('\n')),
    isCut,
    messages: messages.length,
    carrier: attempt.carrier,
  }
}

function textOf(message: StoredMessage, firstUs: number): string {
  const { capturedAtUs, payload } = message
  const offset = ((capturedAtUs - firstUs) / 1e6).toFixed(6)
  const protocol = PROTOCOLS[message.ipProtocol] ?? `protocol ${message.ipProtocol}`
  const source = endOf(message.sourceAddress, message.sourcePort)
  const destination = endOf(message.destinationAddress, message.destinationPort)
  const head = `${isoUsOf(capturedAtUs)} +${offset} s  ${source} -> ${destination}  ${protocol}  ${payload.length} bytes  seen by ${visible(message.agent)}`
  const lines = payload.toString(isUtf8(payload) ? 'utf8' : 'latin1').split(/\r\n|\r|\n/)
  while (lines.at(-1) === '') lines.pop()
  return [head, ...lines.map((line) => (line === '' ? '' : INDENT + visible(line))), ''].join('\n')
}

function endOf(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address || 'not told'}:${port}`
}

/** Controls (but tabs), line ends of Unicode, and what turns the direction of text. */
function visible(text: string): string {
  return text.replace(/[^\P{Cc}\t]|[\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (sign) => {
    const code = sign.codePointAt(0)!.toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}
