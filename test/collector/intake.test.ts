import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foldOf } from '../../collector/fold-wiring.js'
import { Intake } from '../../collector/intake.js'
import { AgentCounts } from '../../collector/store/agents.js'
import { ClickHouseWriter } from '../../collector/store/clickhouse-writer.js'
import { StorePartition } from '../../collector/store/partition.js'
import { configSchema } from '../../schemas/config.js'
import type { ReceivedFrame, Transport } from '../../schemas/hep-frame.js'
import { encodeHep3 } from '../../sip/hep3.js'
import { openTestEngine, type TestEngine } from '../support/engine.js'

const NOON_US = 1_795_176_000e6
const INVITE = [
  'INVITE sip:b@example.com SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
  'From: <sip:a@example.com>;tag=1',
  'To: <sip:b@example.com>',
  'Call-ID: 1@example.com',
  'CSeq: 1 INVITE',
  'Content-Length: 0',
  '',
  '',
].join('\r\n')

interface Sent {
  capturedAtUs?: number
  payload?: string
  receivedAtUs?: number
  position?: number
  transport?: Transport
  agentId?: number
  protocolType?: number
}

function frame(sent: Sent = {}): ReceivedFrame {
  return {
    receivedAtUs: sent.receivedAtUs ?? NOON_US + 1_000,
    transport: sent.transport ?? 'udp',
    peerAddress: '192.0.2.9',
    position: sent.position ?? 0,
    bytes: encodeHep3({
      agentId: sent.agentId ?? 7,
      ...(sent.protocolType === undefined ? {} : { protocolType: sent.protocolType }),
      sourceAddress: '192.0.2.1',
      destinationAddress: '192.0.2.2',
      capturedAtUs: sent.capturedAtUs ?? NOON_US,
      payload: sent.payload ?? INVITE,
    }),
  }
}

let engine: TestEngine
let partition: StorePartition
beforeAll(async () => {
  engine = await openTestEngine()
  const writer = new ClickHouseWriter(engine.writer, engine.insertFolder)
  partition = await StorePartition.open(writer, foldOf(configSchema.parse({})), 0, 'test', undefined)
})
afterAll(() => engine.discard())

function counted(...sent: Sent[]) {
  const intake = new Intake()
  const agents = new AgentCounts()
  for (const one of sent) intake.fold(frame(one), partition, agents, 0)
  return agents.takeChanged()
}

describe('what an agent sent', () => {
  it('a message that it sends again is a duplicate, and a message all the same', () => {
    const again = { receivedAtUs: NOON_US + 1_200, position: 0 }
    expect(counted({}, again, { ...again, receivedAtUs: NOON_US + 9e6, position: 4 })).toMatchObject([
      { frames: 3, sipMessages: 3, duplicates: 2, udpFrames: 3 },
    ])
  })

  it('a SIP retransmission was captured at another time, and the view of another agent is its own: no duplicates', () => {
    expect(counted({}, { capturedAtUs: NOON_US + 500_000 }, { agentId: 8 })).toMatchObject([
      { frames: 2, duplicates: 0 },
      { frames: 1, duplicates: 0 },
    ])
  })

  it('a frame that capture put on the bus twice is counted once', () => {
    expect(counted({}, { position: 3 })).toMatchObject([{ frames: 1, sipMessages: 1, duplicates: 0 }])
  })

  it('frames that were counted before leave no trace in the counts of those that follow', () => {
    const intake = new Intake()
    const agents = new AgentCounts()
    intake.fold(frame(), partition, undefined, 0)
    intake.fold(frame({ receivedAtUs: NOON_US + 2_000 }), partition, agents, 0)
    expect(agents.takeChanged()).toMatchObject([{ frames: 1, duplicates: 0 }])
  })

  it('a partition that was taken away and comes back is counted anew, and finds no duplicates of before', () => {
    const intake = new Intake()
    intake.fold(frame(), partition, new AgentCounts(), 0)
    const agents = new AgentCounts()
    intake.fold(frame(), partition, agents, 0)
    expect(agents.takeChanged()).toMatchObject([{ frames: 1, duplicates: 0 }])
  })

  it('keep-alives and refused frames are frames, and no SIP', () => {
    expect(
      counted({ payload: '\r\n' }, { protocolType: 5, payload: '{}', transport: 'tcp' }, {}),
    ).toMatchObject([
      { frames: 3, udpFrames: 2, keepalives: 1, refused: 1, sipMessages: 1, firstSipUs: NOON_US + 1_000 },
    ])
  })
})
