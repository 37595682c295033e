/**
 * One frame's way through the store process before anything is written: decode, enrich, a raw row, the attempts it may
 * belong to, the count of its agent. What cannot be read is counted by reason, with a sample.
 */
import type { ReceivedFrame } from '../schemas/hep-frame.js'
import { type Observation, observe, type Refusal } from './enrich/observe.js'
import { type AgentCounts, countMessage } from './store/agents.js'
import type { StorePartition } from './store/partition.js'
import { RefusedSamples } from './store/refused.js'
import { RowBinaryWriter } from './store/rowbinary.js'
import { SeenFrames } from './store/seen-frames.js'

export class Intake {
  /** Raw rows that wait for the next flush. */
  readonly messages = new RowBinaryWriter()
  readonly refused = new RefusedSamples()
  readonly #seenFrames = new SeenFrames()

  /** @param agents undefined: the frame was counted before, by us or by a process before us */
  fold(
    frame: ReceivedFrame,
    partition: StorePartition,
    agents: AgentCounts | undefined,
    storedAtS: number,
  ): void {
    partition.asOfUs = Math.max(partition.asOfUs, frame.receivedAtUs)
    const seen = observe(frame)
    if ('reason' in seen) {
      if (agents !== undefined) countRefusal(agents, frame, seen)
      this.refused.note(
        'decode',
        seen.reason,
        frame.receivedAtUs,
        frame.transport,
        frame.peerAddress,
        seen.sample,
      )
      return
    }
    const { observed } = seen
    const { message } = observed
    if (agents !== undefined) this.#count(agents, frame, seen)
    this.messages.message({
      observed,
      receivedAtUs: frame.receivedAtUs,
      storedAtS,
      transport: frame.transport,
      ipProtocol: seen.ipProtocol,
      raw: seen.raw,
    })
    // A message that lost its Via still has the CSeq of its transaction.
    const isFoldable = message.parseError === '' || message.parseError === 'no_via'
    if (isFoldable) partition.attempts.add(observed, partition.asOfUs)
    if (message.parseError !== '') {
      this.refused.note(
        'sip',
        message.parseError,
        frame.receivedAtUs,
        frame.transport,
        frame.peerAddress,
        seen.raw,
      )
    }
  }

  #count(agents: AgentCounts, frame: ReceivedFrame, { observed, agentName }: Observation): void {
    const { receivedAtUs, peerAddress, position } = frame
    const sighting = this.#seenFrames.see(observed.hash, agents.owner, receivedAtUs, position)
    if (sighting === 'repeat') return
    const count = agents.of(receivedAtUs, observed.agent, peerAddress, observed.agentId, agentName)
    count.frames++
    if (frame.transport === 'udp') count.udpFrames++
    if (sighting === 'copy') count.duplicates++
    countMessage(count, observed, receivedAtUs)
  }
}

function countRefusal(agents: AgentCounts, frame: ReceivedFrame, seen: Refusal): void {
  const count = agents.of(frame.receivedAtUs, seen.agent, frame.peerAddress, seen.agentId, seen.agentName)
  count.frames++
  if (frame.transport === 'udp') count.udpFrames++
  if (seen.reason === 'keepalive') count.keepalives++
  else count.refused++
}
