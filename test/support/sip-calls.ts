/** Whole calls as frames of an agent, with whatever text a test wants in any header, stored by the real store role. */

import type { Engine } from '../../bin/connect/clickhouse.js'
import { StoreRole } from '../../collector/store-role.js'
import type { TrunkscopeConfig } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { encodeHep3 } from '../../sip/hep3.js'

export interface SipCall {
  callId: string
  /** Microseconds since 1970 UTC. */
  startUs: number
  /** Number or user of the Request-URI. */
  called: string
  calling: string
  /** Header values in place of the usual ones. */
  from?: string
  to?: string
  requestUri?: string
  fromTag?: string
  toTag?: string
  userAgent?: string
  reason?: string
  phrase?: string
  /** Whole header lines of the INVITE. */
  more?: readonly string[]
  sdp?: string
  /** The final response; 200 is answered and ended by a BYE, 0: none. */
  final?: number
  /** Answered and still up. */
  isUp?: boolean
  source?: string
  destination?: string
  agentName?: string
  correlationId?: string
}

const SBC = '192.0.2.11'
const FAR = '198.51.100.10'

export function framesOfCall(call: SipCall): ReceivedFrame[] {
  const { callId, startUs, called, calling, final = 200 } = call
  const fromTag = call.fromTag ?? `f-${callId.slice(0, 8)}`
  const toTag = call.toTag ?? `t-${callId.slice(0, 8)}`
  const from = `${call.from ?? `<sip:${calling}@sbc.example>`};tag=${fromTag}`
  const to = call.to ?? `<sip:${called}@carrier.example>`
  const uri = call.requestUri ?? `sip:${called}@${FAR}`
  const head = (first: string, cseq: string, toValue: string, more: readonly string[] = [], body = '') =>
    [
      first,
      `Via: SIP/2.0/UDP ${SBC};branch=z9hG4bK-${callId.length}-${cseq.split(' ')[0]}`,
      `From: ${from}`,
      `To: ${toValue}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq}`,
      ...more,
      `Content-Length: ${Buffer.byteLength(body, 'latin1')}`,
      '',
      body,
    ].join('\r\n')
  const frames: ReceivedFrame[] = []
  const send = (atS: number, fromSbc: boolean, text: string) => {
    const atUs = startUs + Math.round(atS * 1e6)
    const [near, far] = [call.source ?? SBC, call.destination ?? FAR]
    frames.push({
      receivedAtUs: atUs,
      transport: 'udp',
      peerAddress: SBC,
      position: frames.length,
      bytes: encodeHep3({
        sourceAddress: fromSbc ? near : far,
        sourcePort: 5060,
        destinationAddress: fromSbc ? far : near,
        destinationPort: 5060,
        capturedAtUs: atUs,
        agentId: 2001,
        ...(call.agentName === undefined ? {} : { agentName: call.agentName }),
        ...(call.correlationId === undefined ? {} : { correlationId: call.correlationId }),
        payload: Buffer.from(text, 'latin1'),
      }),
    })
  }
  const agent = call.userAgent === undefined ? [] : [`User-Agent: ${call.userAgent}`]
  const reason = call.reason === undefined ? [] : [`Reason: ${call.reason}`]
  const sdp = call.sdp === undefined ? [] : ['Content-Type: application/sdp']
  const toDone = `${to};tag=${toTag}`
  send(
    0,
    true,
    head(`INVITE ${uri} SIP/2.0`, '1 INVITE', to, [...agent, ...sdp, ...(call.more ?? [])], call.sdp),
  )
  send(0.02, false, head('SIP/2.0 100 Trying', '1 INVITE', to))
  send(0.5, false, head('SIP/2.0 180 Ringing', '1 INVITE', toDone))
  if (final === 0) return frames
  send(2, false, head(`SIP/2.0 ${final} ${call.phrase ?? 'OK'}`, '1 INVITE', toDone, reason))
  send(2.02, true, head(`ACK ${uri} SIP/2.0`, '1 ACK', toDone))
  if (final !== 200 || call.isUp) return frames
  send(12, true, head(`BYE ${uri} SIP/2.0`, '2 BYE', toDone, reason))
  send(12.02, false, head('SIP/2.0 200 OK', '2 BYE', toDone))
  return frames
}

/** Stores them as a process does that is started for it and drained. */
export async function storeFrames(
  engine: Pick<Engine, 'writer' | 'rawWriter' | 'insertFolder'>,
  frames: readonly ReceivedFrame[],
  config: TrunkscopeConfig,
  log: (level: string, sentence: string) => void = () => {},
): Promise<void> {
  const { writer, rawWriter, insertFolder } = engine
  const role = await StoreRole.open({
    writer,
    rawWriter,
    insertFolder,
    config,
    basePartitions: [0],
    commit: async () => {},
    log,
    flushIntervalMs: Number.POSITIVE_INFINITY,
  })
  const sorted = [...frames].sort((a, b) => a.receivedAtUs - b.receivedAtUs)
  await role.accept({
    partition: 0,
    basePartition: 0,
    position: 0,
    nextPosition: sorted.length,
    frames: sorted.map((frame, position) => ({ ...frame, position })),
    receivedUntilUs: 0,
  })
  await role.drain()
}
