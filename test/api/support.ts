/**
 * An api over a real embedded engine in a temporary folder. One data folder a process: a test file opens one and closes
 * it in `afterAll`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiDeps, buildApp } from '../../api/app.js'
import type { App } from '../../api/deps.js'
import { type Engine, openEmbeddedEngine } from '../../bin/connect/clickhouse.js'
import { AGENT_COLUMNS, type AgentMinute, emptyMinute } from '../../collector/store/agents.js'
import { ATTEMPTS, ClickHouseWriter, MESSAGES, shapeOf } from '../../collector/store/clickhouse-writer.js'
import { recomputeMinutes } from '../../collector/store/minutes.js'
import { RowBinaryWriter } from '../../collector/store/rowbinary.js'
import { applySchema } from '../../collector/store/schema.js'
import type { Attempt } from '../../schemas/attempt.js'
import { ATTEMPT_COLUMNS } from '../../schemas/call-attempts.js'
import { configSchema } from '../../schemas/config.js'
import type { LiveStatus } from '../../schemas/live-status.js'
import { MESSAGE_COLUMNS } from '../../schemas/sip-messages.js'
import { readSip } from '../../sip/sip-message.js'

/** 2026-11-20T12:00:00Z. */
export const NOON_S = 1_795_176_000
export const NOON_US = NOON_S * 1e6

export const CONFIG = configSchema.parse({
  sites: [
    { id: 'dal', sbc: ['192.0.2.11/32'], agents: [2001] },
    { id: 'fra', sbc: ['192.0.2.12/32'], agents: [2002] },
  ],
  carriers: [
    { id: 'alpha', name: 'Alpha Telecom', peers: ['198.51.100.10/32'] },
    { id: 'beta', name: 'Beta <b>Networks</b>', peers: [{ cidr: '198.51.100.20/32', site: 'dal' }] },
    { id: 'silent', peers: ['198.51.100.30/32'] },
  ],
})

export function liveStatus(changes: Partial<LiveStatus> = {}): LiveStatus {
  return {
    asOfUs: NOON_US + 3_600e6,
    startedAtUs: NOON_US,
    ready: true,
    problem: '',
    listening: { hepUdp: '127.0.0.1:9060', hepTcp: '127.0.0.1:9060', http: '127.0.0.1:8080' },
    bufferAskedBytes: 8_388_608,
    bufferGrantedBytes: 8_388_608,
    accepted: [{ transport: 'udp', frames: 1_000, bytes: 900_000 }],
    refused: [],
    kernelDrops: 0,
    spoolBytes: 0,
    spoolLagBytes: 0,
    openAttempts: 0,
    flushSecondsLast: 0.02,
    storedMessages: 1_000,
    lastFrame: { atUs: NOON_US + 3_600e6, peerAddress: '192.0.2.11' },
    ...changes,
  }
}

let attempts = 0

/** An answered call at noon, changed as wanted. */
export function attempt(changes: Partial<Attempt> = {}): Attempt {
  attempts++
  const invitedAtUs = changes.invitedAtUs ?? NOON_US + attempts * 1_000
  const minuteS = Math.floor(invitedAtUs / 60e6) * 60
  const closed = (changes.state ?? 'closed') === 'closed'
  return {
    attemptId: attempts.toString(16).padStart(32, '0'),
    callId: `call-${attempts}@example.com`,
    fromTag: `tag-${attempts}`,
    addressLow: '192.0.2.11',
    addressHigh: '198.51.100.10',
    state: 'closed',
    party: 'carrier',
    carrier: 'alpha',
    customer: '',
    site: 'dal',
    direction: 'outbound',
    attributionRule: 'sbc_peer',
    sbcAddress: '192.0.2.11',
    farAddress: '198.51.100.10',
    farPort: 5060,
    minuteS,
    endMinuteS: 0,
    clockAgent: '192.0.2.11/2001',
    invitedAtUs,
    first100AtUs: invitedAtUs + 20_000,
    first18xAtUs: invitedAtUs + 300_000,
    first180AtUs: invitedAtUs + 300_000,
    firstSdp18xAtUs: 0,
    cancelledAtUs: 0,
    finalAtUs: closed ? invitedAtUs + 2_000_000 : 0,
    answeredAtUs: closed ? invitedAtUs + 2_000_000 : 0,
    ackedAtUs: 0,
    byeAtUs: 0,
    byeFinalAtUs: 0,
    tries: 1,
    inviteRetransmissions: 0,
    earlyDialogs: 1,
    pddMs: 300,
    ringDelayMs: 300,
    mediaDelayMs: null,
    firstResponseMs: 20,
    failDelayMs: null,
    authMs: null,
    durationMs: null,
    ringBeforeCancelMs: null,
    finalCode: closed ? 200 : 0,
    finalPhrase: closed ? 'OK' : '',
    q850Cause: 0,
    q850Location: '',
    reasons: [],
    disposition: closed ? 'ANSWERED' : '',
    sli: closed ? 'good' : '',
    nerNumerator: closed ? 1 : 0,
    nerDenominator: closed ? 1 : 0,
    cancelClass: '',
    cancelReason: '',
    rang: true,
    invited: true,
    byeFrom: '',
    attestation: 'A',
    identities: [],
    calledNumber: '+12155550100',
    dialledNumber: '+12155550100',
    callingNumber: '+12155550101',
    fromNumber: '+12155550101',
    requestUri: 'sip:+12155550100@198.51.100.10',
    userAgent: 'test',
    sdpOfferHash: '',
    sdpAnswerHash: '',
    toTags: ['b'],
    agents: ['192.0.2.11/2001'],
    flags: [],
    ...changes,
  }
}

/** How an attempt ended: the fields that go together. */
export const ENDED = {
  busy: {
    finalCode: 486,
    finalPhrase: 'Busy Here',
    disposition: 'BUSY',
    answeredAtUs: 0,
    pddMs: 300,
    failDelayMs: 2_000,
  },
  abandoned: {
    finalCode: 487,
    finalPhrase: 'Request Terminated',
    disposition: 'NO_ANSWER',
    cancelClass: 'CALLER_ABANDON_RING',
    answeredAtUs: 0,
    failDelayMs: 2_000,
  },
  preRing: {
    finalCode: 487,
    finalPhrase: 'Request Terminated',
    disposition: 'PRE_RING_CANCEL',
    cancelClass: 'PRE_RING_CANCEL',
    sli: 'bad',
    nerNumerator: 0,
    answeredAtUs: 0,
    first18xAtUs: 0,
    first180AtUs: 0,
    rang: false,
    pddMs: null,
    ringDelayMs: null,
    failDelayMs: 5_000,
  },
  congestion: {
    finalCode: 503,
    finalPhrase: 'Service Unavailable',
    disposition: 'CONGESTION',
    sli: 'bad',
    nerNumerator: 0,
    answeredAtUs: 0,
    first18xAtUs: 0,
    first180AtUs: 0,
    rang: false,
    pddMs: null,
    ringDelayMs: null,
    failDelayMs: 400,
  },
} as const satisfies Record<string, Partial<Attempt>>

export function endedCall(invitedAtUs: number, durationMs: number): Partial<Attempt> {
  const byeAtUs = invitedAtUs + 2_000_000 + durationMs * 1_000
  return { invitedAtUs, durationMs, byeAtUs, endMinuteS: Math.floor(byeAtUs / 60e6) * 60, byeFrom: 'callee' }
}

export interface StoredMessage {
  callId: string
  capturedAtUs: number
  raw: string
  source?: string
  destination?: string
  agent?: string
}

export class TestStore {
  readonly engine: Engine
  readonly #folder: string
  readonly #writer: ClickHouseWriter
  #rows = 0
  /** Of the rollups written last. */
  version = 0n

  private constructor(folder: string) {
    this.#folder = folder
    this.engine = openEmbeddedEngine(folder)
    this.#writer = new ClickHouseWriter(this.engine.writer, this.engine.insertFolder)
  }

  static async open(): Promise<TestStore> {
    const store = new TestStore(mkdtempSync(join(tmpdir(), 'trunkscope-api-')))
    await applySchema(store.engine.writer, CONFIG.retention)
    return store
  }

  /** Writes attempts and recomputes their minutes, as the store does. */
  async add(rows: readonly Attempt[], version = 1): Promise<void> {
    const encoded = new RowBinaryWriter()
    for (const row of rows) {
      encoded.row(ATTEMPT_COLUMNS, {
        attempt: row,
        version,
        isDeleted: false,
        busPartition: 0,
        storedAtS: Math.floor(Date.now() / 1_000),
        factsText: '{"fact":1}',
      })
    }
    await this.#writer.insert(ATTEMPTS, encoded.take())
    const minutes = rows.flatMap((row) => [row.minuteS, ...(row.endMinuteS > 0 ? [row.endMinuteS] : [])])
    await recomputeMinutes(this.engine.writer, [0], minutes, ++this.version)
  }

  async addMessages(messages: readonly StoredMessage[]): Promise<void> {
    const encoded = new RowBinaryWriter()
    for (const message of messages) {
      this.#rows++
      const raw = Buffer.from(message.raw, 'latin1')
      encoded.row(MESSAGE_COLUMNS, {
        observed: {
          message: { ...readSip(raw), callId: message.callId },
          agent: message.agent ?? '192.0.2.11/2001',
          agentId: 2001,
          capturedAtUs: message.capturedAtUs,
          sourceAddress: message.source ?? '192.0.2.11',
          sourcePort: 5060,
          destinationAddress: message.destination ?? '198.51.100.10',
          destinationPort: 5060,
          frameFlags: 0,
          hash: this.#rows.toString(16).padStart(32, '0'),
          sdpHash: '',
        },
        receivedAtUs: message.capturedAtUs,
        storedAtS: Math.floor(Date.now() / 1_000),
        transport: 'udp',
        ipProtocol: 17,
        raw,
      })
    }
    await this.#writer.insert(MESSAGES, encoded.take())
  }

  async addAgentMinute(changes: Partial<AgentMinute> = {}): Promise<void> {
    const encoded = new RowBinaryWriter()
    encoded.row(AGENT_COLUMNS, {
      count: {
        ...emptyMinute(NOON_S, '192.0.2.11/2001', '192.0.2.11', 2001, ''),
        frames: 100,
        sipMessages: 98,
        keepalives: 2,
        lastSeenUs: NOON_US + 30e6,
        ...changes,
      },
      busPartition: 0,
      countedUntil: 1,
    })
    await this.#writer.insert(shapeOf('agents_minute', AGENT_COLUMNS), encoded.take())
  }

  async command(query: string): Promise<void> {
    await this.engine.writer.command({ query })
  }

  app(changes: Partial<ApiDeps> = {}): Promise<App> {
    return buildApp({
      readers: this.engine.readers,
      config: CONFIG,
      tokens: undefined,
      demo: false,
      live: () => liveStatus(),
      metrics: async () => 'trunkscope_up 1\n',
      nowMs: () => (NOON_S + 3_600) * 1_000 - 20_000,
      ...changes,
    })
  }

  async close(): Promise<void> {
    await this.engine.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Parses an answer of `inject`. */
export async function get<Body = Record<string, never>>(
  app: App,
  url: string,
): Promise<{ status: number; body: Body; type: string }> {
  const response = await app.inject({ url })
  return {
    status: response.statusCode,
    body: response.json() as Body,
    type: String(response.headers['content-type']),
  }
}

export const NOON = '2026-11-20T12:00:00Z'
export const ONE = '2026-11-20T13:00:00Z'
export const HOUR = `from=${NOON}&to=${ONE}`
