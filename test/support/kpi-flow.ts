/**
 * A call flow of a .kpi file → SIP messages as they stand on the wire → HEP frames as agents send them.
 *
 * What the flow writes by itself, unless a key says otherwise
 *   INVITE     the first opens try 1 (CSeq 1, a branch of its own). Again before any final response: the same message again,
 *              a retransmission. After a final response (401, 302, 503 …): the next try, CSeq + 1 and a new branch. After a
 *              2xx: a re-INVITE with the To-tag of the call; from=callee is the callee's.
 *   a code     answers the last INVITE; its To-tag is that of the try (`a.1`). cseq=2 answers the INVITE with that number,
 *              cseq=BYE (or another method) the last BYE: `60s BYE  60.1s 200 cseq=BYE`. Again without keys: the same
 *              message again. A response to something that was never written stands alone: its request was lost.
 *   ACK        of a failure: branch and CSeq of the INVITE; of a 2xx: a branch of its own.
 *   CANCEL     branch and CSeq of the last INVITE, or of the one that cseq= and branch= name.
 *   BYE …      in the dialog, from the caller; from=callee turns it round.
 *
 * Every file has a slot: its addresses, carrier ids and Call-IDs are its own, so that many files run side by side.
 */
import type { AttemptKey } from '../../schemas/attempt-facts.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { encodeHep3 } from '../../sip/hep3.js'
import { Call, keyOf } from './kpi-call.js'
import type { AttemptFlow, KpiFile, Load } from './kpi-language.js'
import { KpiSyntaxError, timeUs } from './kpi-words.js'

export interface Flow {
  file: KpiFile
  slot: number
  /** In the order in which they arrive. */
  frames: ReceivedFrame[]
  attempts: FlowKey[]
  sites: { id: string; sbc: string[] }[]
  carriers: { id: string; peers: string[] }[]
  customers: { id: string; peers: string[] }[]
}

export interface FlowKey {
  load: Load
  name: string
  key: AttemptKey
}

/** Ids of carriers, customers and sites are a file's own. */
export function idOf(name: string, slot: number): string {
  return name === 'unknown' ? name : `${name}-${slot}`
}

const AGENT_PEER = '192.0.2.250'
const CAPTURE_ID_BASE = 2_000

/**
 * @param slot    1..255, one a file in a run
 * @param startUs a whole minute, microseconds since 1970 UTC
 * @param folder  where identity=@file lies
 */
export function flowOf(file: KpiFile, slot: number, startUs: number, folder: string): Flow {
  const sites = [...new Set(file.loads.map((load) => load.site))]
  const owners = [...new Set(file.loads.map((load) => `${load.party} ${load.owner}`))]
  const sbcOf = (load: Load) => `10.${slot}.${sites.indexOf(load.site)}.1`
  const farOf = (load: Load) => `10.${slot}.${100 + owners.indexOf(`${load.party} ${load.owner}`)}.1`
  const flow: Flow = {
    file,
    slot,
    frames: [],
    attempts: [],
    sites: sites.map((name, index) => ({ id: idOf(name, slot), sbc: [`10.${slot}.${index}.1/32`] })),
    carriers: ownersOf('carrier'),
    customers: ownersOf('customer'),
  }
  function ownersOf(party: Load['party']) {
    return owners.flatMap((owner, index) => {
      const [kind, name] = owner.split(' ') as [string, string]
      if (kind !== party || name === 'unknown') return []
      return [{ id: idOf(name, slot), peers: [`10.${slot}.${100 + index}.1/32`] }]
    })
  }

  for (const load of file.loads) {
    const ends = load.direction === 'outbound' ? [sbcOf(load), farOf(load)] : [farOf(load), sbcOf(load)]
    for (const attempt of load.attempts) {
      for (let copy = 1; copy <= attempt.copies; copy++) {
        const name = attempt.copies === 1 ? attempt.name : `${attempt.name}.${copy}`
        const call = new Call(
          name,
          `${name}.${slot}@kpi.example`,
          ends[0] as string,
          ends[1] as string,
          folder,
        )
        for (const sent of messagesOf(attempt, call)) {
          for (const agent of sent.agents ?? load.agents) {
            flow.frames.push(frameOf(sent, agent, startUs, file.clocksUs.get(agent) ?? 0))
          }
        }
        const [low, high] = [...ends].sort() as [string, string]
        const key = { addressLow: low, addressHigh: high, callId: call.callId, fromTag: name }
        flow.attempts.push({ load, name, key })
      }
    }
  }
  flow.frames.sort((a, b) => a.receivedAtUs - b.receivedAtUs)
  return flow
}

interface Sent {
  atUs: number
  lateUs: number
  agents: number[] | undefined
  from: string
  to: string
  text: string
}

function frameOf(sent: Sent, agent: number, startUs: number, clockUs: number): ReceivedFrame {
  return {
    receivedAtUs: startUs + sent.atUs + sent.lateUs,
    transport: 'udp',
    peerAddress: AGENT_PEER,
    position: 0,
    bytes: encodeHep3({
      sourceAddress: sent.from,
      sourcePort: 5060,
      destinationAddress: sent.to,
      destinationPort: 5060,
      capturedAtUs: startUs + sent.atUs + clockUs,
      agentId: CAPTURE_ID_BASE + agent,
      payload: Buffer.from(sent.text, 'latin1'),
    }),
  }
}

function messagesOf(attempt: AttemptFlow, call: Call): Sent[] {
  const sent: Sent[] = []
  for (const event of attempt.events) {
    const agents = keyOf(event, 'agent')?.split(',').map(Number)
    const lateUs = timeUs(keyOf(event, 'late') ?? '0s') ?? 0
    const last = sent.at(-1)
    if (event.what === '^' && last === undefined) {
      throw new KpiSyntaxError(event.place, 'there is no message yet that ^ could repeat')
    }
    const message = event.what === '^' ? (last as Sent) : call.message(event)
    sent.push({
      ...message,
      atUs: event.atUs,
      lateUs,
      agents: agents ?? (event.what === '^' ? last?.agents : undefined),
    })
  }
  return sent
}
