import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { observe } from '../../../collector/enrich/observe.js'
import { attemptKey, dialogTags, factsOf } from '../../../collector/fold/attempt-facts.js'
import { identities } from '../../../collector/fold-wiring.js'
import {
  observedOf,
  STORED_MESSAGE_COLUMNS,
  type StoredMessage,
} from '../../../collector/recompute/stored-message.js'
import { ClickHouseWriter, MESSAGES } from '../../../collector/store/clickhouse-writer.js'
import { RowBinaryWriter } from '../../../collector/store/rowbinary.js'
import type { ReceivedFrame } from '../../../schemas/hep-frame.js'
import type { ObservedMessage } from '../../../schemas/observed-message.js'
import { encodeHep3 } from '../../../sip/hep3.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'
import { captureFrames, movedTo } from '../../support/real-capture.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await openTestEngine()
})
afterAll(() => engine.discard())
beforeEach(() => engine.writer.command({ query: 'TRUNCATE TABLE sip_messages' }))

const NOW_S = Math.floor(Date.now() / 1_000)

/** Stores the frames as the store does; gives what was observed, and what comes back, by row. */
async function thereAndBack(frames: readonly ReceivedFrame[]) {
  const rows = new RowBinaryWriter()
  const live = new Map<string, ObservedMessage>()
  for (const frame of frames) {
    const seen = observe(frame)
    if ('reason' in seen) continue
    const { observed, ipProtocol, raw } = seen
    live.set(observed.hash, observed)
    rows.message({
      observed,
      receivedAtUs: frame.receivedAtUs,
      storedAtS: NOW_S,
      transport: 'udp',
      ipProtocol,
      raw,
    })
  }
  await new ClickHouseWriter(engine.writer, engine.insertFolder).insert(MESSAGES, rows.take())
  const stored = await rowsOf<StoredMessage>(
    engine.writer,
    `SELECT ${STORED_MESSAGE_COLUMNS} FROM sip_messages`,
  )
  return { live, back: new Map(stored.map((row) => [row.rowId, observedOf(row)])) }
}

function factsBy(observed: ObservedMessage | undefined) {
  if (observed === undefined) return undefined
  return (dialogTags(observed) ?? []).map((tag) => factsOf(observed, attemptKey(observed, tag), identities))
}

const frameOf = (bytes: Buffer): ReceivedFrame => ({
  receivedAtUs: NOW_S * 1e6,
  transport: 'udp',
  peerAddress: '192.0.2.250',
  position: 0,
  bytes,
})

describe('stored message', () => {
  test('every message of the real capture gives the same facts as when it came', async () => {
    const { live, back } = await thereAndBack(movedTo(captureFrames(), NOW_S - 90).frames.map(frameOf))
    expect(back.size).toBe(live.size)
    expect(live.size).toBeGreaterThan(100)
    for (const [id, observed] of live) {
      // Only the hash of an SDP that no fact holds is made for all.
      expect({ ...back.get(id), sdpHash: '' }).toEqual({ ...observed, sdpHash: '' })
      expect(factsBy(back.get(id))).toEqual(factsBy(observed))
    }
  })

  test('names of agents, long and strange Call-IDs and bytes that are no text come back as they were', async () => {
    const callId = fc.oneof(
      fc.constantFrom('a\tb', "it's", 'back\\slash', 'é', 'x'.repeat(600), '{a:String}'),
      fc.string({ minLength: 1, maxLength: 20 }),
    )
    const anyFrame = fc
      .record({
        callId,
        text: fc.uint8Array({ maxLength: 40 }),
        name: fc.constantFrom('', 'sbc/1', 'fra é', 'n'.repeat(80)),
        agentId: fc.integer({ min: 0, max: 0xffff_ffff }),
        status: fc.constantFrom(
          'INVITE sip:b SIP/2.0',
          'BYE sip:b SIP/2.0',
          'SIP/2.0 183 Ringing',
          'SIP/2.0 486 Busy',
        ),
      })
      .map(({ callId, text, name, agentId, status }, at = 0) =>
        frameOf(
          encodeHep3({
            agentId,
            agentName: name,
            capturedAtUs: NOW_S * 1e6 + at,
            sourceAddress: '2001:db8::1',
            destinationAddress: '192.0.2.1',
            payload: Buffer.concat([
              Buffer.from(
                `${status}\r\nVia: SIP/2.0/UDP a;branch=z9\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCSeq: 1 INVITE\r\nCall-ID: ${callId}\r\nReason: `,
                'latin1',
              ),
              text,
              Buffer.from('\r\nAuthorization: Digest secret\r\n\r\n'),
            ]),
          }),
        ),
      )
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { minLength: 1, maxLength: 40 }), async (frames) => {
        const { live, back } = await thereAndBack(frames)
        for (const [id, observed] of live) {
          expect(back.get(id)?.agent).toBe(observed.agent)
          expect(back.get(id)?.agentId).toBe(observed.agentId)
          expect(factsBy(back.get(id))).toEqual(factsBy(observed))
        }
      }),
      { numRuns: 8 },
    )
  })
})
