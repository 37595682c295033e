import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AGENT_COLUMNS, AgentCounts, countMessage, emptyMinute } from '../../../collector/store/agents.js'
import { ClickHouseWriter, shapeOf } from '../../../collector/store/clickhouse-writer.js'
import { encodeRows } from '../../../collector/store/rowbinary.js'
import { migrations } from '../../../collector/store/schema.js'
import { HEP_FLAG } from '../../../schemas/hep-frame.js'
import type { ObservedMessage } from '../../../schemas/observed-message.js'
import { readSip } from '../../../sip/sip-message.js'
import { openTestEngine, rowsOf, type TestEngine } from '../../support/engine.js'

const NOON_S = 1_795_176_000
const NOON_US = NOON_S * 1e6
const TOKEN = `eyJhbGciOiJFUzI1NiJ9.eyJhdHRlc3QiOiJBIn0.${'x'.repeat(86)}`

interface Parts {
  headers?: string[]
  body?: string
  contentLength?: number
  /** Bytes that the agent left of it. */
  cutAt?: number
  frameFlags?: number
  capturedAtUs?: number
}

function observed(parts: Parts = {}): ObservedMessage {
  const { headers = [], body = '', contentLength = body.length, cutAt, frameFlags = 0 } = parts
  const bytes = Buffer.from(
    [
      'INVITE sip:b@example.com SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
      'From: <sip:a@example.com>;tag=1',
      'To: <sip:b@example.com>',
      'Call-ID: 1@example.com',
      'CSeq: 1 INVITE',
      ...headers,
      `Content-Length: ${contentLength}`,
      '',
      body,
    ].join('\r\n'),
    'latin1',
  )
  return {
    message: readSip(bytes.subarray(0, cutAt ?? bytes.length)),
    agent: 'a',
    agentId: 1,
    capturedAtUs: parts.capturedAtUs ?? NOON_US,
    sourceAddress: '192.0.2.1',
    sourcePort: 5060,
    destinationAddress: '192.0.2.2',
    destinationPort: 5060,
    frameFlags,
    hash: '0'.repeat(32),
    sdpHash: '',
  }
}

function counted(...messages: { parts?: Parts; receivedAtUs?: number }[]) {
  const count = emptyMinute(NOON_S, 'a', '192.0.2.9', 1, '')
  for (const { parts, receivedAtUs } of messages) {
    countMessage(count, observed(parts), receivedAtUs ?? NOON_US)
  }
  return count
}

const SDP = ['Content-Type: application/sdp']
const identity = (value: string): Parts => ({ headers: [`Identity: ${value}`] })

describe('what is counted of a message', () => {
  it('the smallest arrival delay, below zero when the clock of the agent runs ahead', () => {
    expect(
      counted(
        { receivedAtUs: NOON_US + 900 },
        { receivedAtUs: NOON_US + 400 },
        { receivedAtUs: NOON_US + 700 },
      ),
    ).toMatchObject({ timedMessages: 3, arrivalDelayMinUs: 400 })
    expect(counted({ receivedAtUs: NOON_US - 5e6 }, { receivedAtUs: NOON_US })).toMatchObject({
      arrivalDelayMinUs: -5e6,
    })
  })

  it('a timestamp that was replaced says nothing about the clock', () => {
    for (const frameFlags of [HEP_FLAG.missingTimestamp, HEP_FLAG.clampedTimestamp]) {
      expect(counted({ parts: { frameFlags }, receivedAtUs: NOON_US - 1e9 })).toMatchObject({
        timestampsReplaced: 1,
        timedMessages: 0,
        arrivalDelayMinUs: 0,
      })
    }
  })

  it('when the first and the last SIP message came, in whatever order', () => {
    const at = (second: number) => ({ receivedAtUs: NOON_US + second * 1e6 })
    expect(counted(at(7), at(3), at(5))).toMatchObject({
      firstSipUs: NOON_US + 3e6,
      lastSipUs: NOON_US + 7e6,
    })
  })

  it('an Identity header is cut when its token breaks off before the signature ends', () => {
    const whole = `${TOKEN};info=<https://c.example/s>;alg=ES256;ppt=shaken`
    expect(counted({ parts: identity(whole) })).toMatchObject({ identitySeen: 1, identityCut: 0 })
    expect(counted({ parts: identity(TOKEN) })).toMatchObject({ identitySeen: 1, identityCut: 0 })
    for (const length of [10, 60, TOKEN.length - 1]) {
      expect(counted({ parts: identity(whole.slice(0, length)) })).toMatchObject({
        identitySeen: 1,
        identityCut: 1,
      })
    }
    expect(counted({})).toMatchObject({ identitySeen: 0, identityCut: 0 })
  })

  it('SDP is cut when the message is, also when nothing of the announced body is there', () => {
    const body = 'v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 8\r\n'
    expect(counted({ parts: { headers: SDP, body } })).toMatchObject({ sdpSeen: 1, sdpCut: 0, truncated: 0 })
    expect(counted({ parts: { headers: SDP, body, contentLength: 900 } })).toMatchObject({
      sdpSeen: 1,
      sdpCut: 1,
      truncated: 1,
    })
    expect(counted({ parts: { headers: SDP, contentLength: 900 } })).toMatchObject({ sdpSeen: 1, sdpCut: 1 })
    expect(counted({ parts: { headers: SDP, contentLength: 0 } })).toMatchObject({ sdpSeen: 0 })
    expect(counted({ parts: { body: 'x', contentLength: 900 } })).toMatchObject({ sdpSeen: 0, truncated: 1 })
  })
})

describe('the counts of a bus partition', () => {
  let engine: TestEngine
  let writer: ClickHouseWriter
  beforeAll(async () => {
    engine = await openTestEngine()
    writer = new ClickHouseWriter(engine.writer, engine.insertFolder)
  })
  afterAll(() => engine.discard())
  beforeEach(() => engine.writer.command({ query: 'TRUNCATE TABLE agents_minute' }))

  const AGENTS = shapeOf('agents_minute', AGENT_COLUMNS)
  const note = (counts: AgentCounts, minute: number, agent = 'a', frames = 1) => {
    counts.of(NOON_US + minute * 60e6, agent, '192.0.2.9', 1, '').frames += frames
  }
  const store = (counts: AgentCounts, countedUntil: number) => {
    counts.countedUntil = countedUntil
    const rows = counts.takeChanged().map((count) => ({ count, busPartition: 3, countedUntil }))
    return writer.insert(AGENTS, encodeRows(AGENT_COLUMNS, rows))
  }
  const sums = () =>
    rowsOf<{ minute: number; frames: string }>(
      engine.writer,
      `SELECT intDiv(toUInt32(minute) - ${NOON_S}, 60) AS minute, sum(frames) AS frames FROM agents_minute FINAL
       GROUP BY minute ORDER BY minute`,
    ).then((rows) => rows.map(({ minute, frames }) => [Number(minute), Number(frames)]))

  it('a minute that gets frames again long after is counted in another row, and nothing is forgotten', async () => {
    const counts = new AgentCounts()
    note(counts, 0, 'a', 5)
    await store(counts, 10)
    for (let minute = 1; minute <= 6; minute++) {
      note(counts, minute)
      await store(counts, 10 + minute * 10)
    }
    note(counts, 0, 'a', 7)
    await store(counts, 100)
    expect((await sums())[0]).toEqual([0, 12])
    const rows = await rowsOf(
      engine.writer,
      `SELECT frames FROM agents_minute FINAL WHERE minute = ${NOON_S}`,
    )
    expect(rows).toHaveLength(2)
  })

  it('another process goes on in the newest rows, and from the highest position, whatever its minute', async () => {
    const counts = new AgentCounts()
    note(counts, 60, 'a', 5)
    await store(counts, 10)
    note(counts, 2, 'a', 3) // A capture that catches up.
    await store(counts, 20)

    const next = new AgentCounts()
    await next.restore(engine.writer, 3)
    expect(next.countedUntil).toBe(20)
    note(next, 60, 'a', 2)
    note(next, 2, 'a', 4)
    await store(next, 30)
    expect(await sums()).toEqual([
      [2, 7],
      [60, 7],
    ])
    const other = new AgentCounts()
    await other.restore(engine.writer, 4)
    expect(other.countedUntil).toBe(0)
  })

  it('a log that began anew is counted anew; what is read again of the old one is not', async () => {
    const atUs = (minute: number) => NOON_US + minute * 60e6
    const counts = new AgentCounts()
    note(counts, 0, 'a', 5)
    await store(counts, 1_000)
    const next = new AgentCounts()
    await next.restore(engine.writer, 3)
    // Read again, or sent again by a capture that still has it.
    expect(next.isNew(990, atUs(0))).toBe(false)
    expect(next.isNew(3, atUs(0))).toBe(false)
    expect(next.isNew(7, atUs(0) + 1)).toBe(true)
    note(next, 0, 'a', 2)
    note(next, 1, 'a', 1)
    await store(next, 9)
    expect(await sums()).toEqual([
      [0, 7],
      [1, 1],
    ])
    expect(next.isNew(8, atUs(1))).toBe(false)
    expect(next.isNew(9, atUs(1))).toBe(true)
  })

  it('every count comes back as it was stored, a negative delay too', async () => {
    const counts = new AgentCounts()
    const count = counts.of(NOON_US + 1, 'a', '192.0.2.9', 7, 'sbc')
    count.frames++
    countMessage(
      count,
      observed({ ...identity('eyJh'), capturedAtUs: NOON_US + 3e6, cutAt: undefined }),
      NOON_US + 1,
    )
    const before = { ...count }
    await store(counts, 10)
    const next = new AgentCounts()
    await next.restore(engine.writer, 3)
    expect({ ...next.of(NOON_US + 1, 'a', '', 0, '') }).toEqual(before)
    expect(before).toMatchObject({ arrivalDelayMinUs: 1 - 3e6, agentName: 'sbc', identityCut: 1 })
  })

  it('rows of before the health columns are read on, and the migration may run again', async () => {
    const [created] = migrations().find(({ number }) => number === 4)!.statements
    await engine.writer.command({ query: 'DROP TABLE agents_minute SYNC' })
    await engine.writer.command({ query: created! })
    await engine.writer.command({
      query: `INSERT INTO agents_minute (bus_partition, minute, agent, counted_until, frames, sip_messages, last_seen)
              SELECT 3, toDateTime(${NOON_S}), 'a', 40, 8, 7, toDateTime64(${NOON_S + 5}, 6)`,
    })
    const { statements } = migrations().find(({ number }) => number === 11)!
    for (const statement of [...statements, ...statements]) await engine.writer.command({ query: statement })
    const counts = new AgentCounts()
    await counts.restore(engine.writer, 3)
    expect(counts.countedUntil).toBe(40)
    note(counts, 0)
    await store(counts, 50)
    expect(await sums()).toEqual([[0, 9]])
  })

  it('invented names share a row, and do not push out an agent that was there before', () => {
    const counts = new AgentCounts()
    note(counts, 0, 'real')
    counts.takeChanged()
    for (let name = 0; name < 700; name++) note(counts, 1, `invented-${name}`)
    note(counts, 1, 'real')
    const rows = counts.takeChanged()
    expect(rows.find(({ agent }) => agent === 'real')?.frames).toBe(1)
    expect(rows.find(({ agent }) => agent === 'other')?.frames).toBe(200)
    for (let minute = 2; minute < 6; minute++) {
      for (let name = 0; name < 3_000; name++) note(counts, minute, `more-${minute}-${name}`)
      expect(counts.takeChanged().length).toBeLessThanOrEqual(1_001)
    }
  })
})
