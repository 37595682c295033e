/** A call as a pcap file: its stored messages in the packets that an analyser reads (sip/pcap-writer.ts). */
import { pcapOf } from '../../sip/pcap-writer.js'
import type { Readers } from '../readers.js'
import { messagesOfCall } from './call-messages.js'
import { findAttempt } from './search.js'

export const PCAP_TYPE = 'application/vnd.tcpdump.pcap'

export interface Export {
  fileName: string
  body: Buffer
  isCut: boolean
  /** How many there are in it. */
  messages: number
  carrier: string
}

export async function pcapExport(readers: Readers, id: string): Promise<Export> {
  const { attempt, key } = await findAttempt(readers, id)
  const { messages, isCut } = await messagesOfCall(readers, key)
  return {
    // Hex digits: nothing from the wire stands in the name.
    fileName: `call-${attempt.attempt_id}.pcap`,
    body: Buffer.concat([...pcapOf(messages)]),
    isCut,
    messages: messages.length,
    carrier: attempt.carrier,
  }
}
