/**
 * Invented calls with their answer sheet, sent to a cluster as its load, and the question whether what the cluster stores of
 * them is exactly right: every message once, every attempt as it was, rollups that are the sums of the attempts, answers too.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { KpiAnswer } from '../../api/kpi/answer.js'
import { sendTcp } from '../../bin/demo/send.js'
import { type TimedFrame, Traffic } from '../../bin/demo/traffic.js'
import type { ExpectedAttempt } from '../../bin/demo/truth.js'
import type { Cluster } from './cluster.js'
import { differences, sumsOfAttempts, sumsOfRollups } from './kpi-sums.js'

export interface KnownCalls {
  /** No two are equal. */
  frames: TimedFrame[]
  expected: ExpectedAttempt[]
}

/** Calls began for `spanS` some three hours ago, and all of them are over. Another seed, other calls. */
export function knownCalls(seed: number | string, spanS: number, callsPerSecond: number): KnownCalls {
  const expected: ExpectedAttempt[] = []
  const traffic = new Traffic({ seed, onCall: (call) => expected.push(call) })
  const endUs = Math.floor(Date.now() / 60_000) * 60_000_000 - 60_000_000
  const fromUs = endUs - 3 * 3_600_000_000
  const toUs = fromUs + spanS * 1_000_000
  const frames = [...traffic.backfill(fromUs, toUs, callsPerSecond), ...traffic.backfill(toUs, endUs, 1e-9)]
  return { frames, expected }
}

type Rows = Pick<Cluster, 'rows' | 'client'>
type Answers = Pick<Cluster, 'json'>

const TICK_MS = 50

/** Frames on their way into the capture role, at a rate, until they shall all be there. */
export class Load {
  readonly #cluster: Cluster
  readonly #frames: readonly TimedFrame[]
  readonly #acceptedBefore: number
  readonly #sent: Promise<unknown>
  #framesPerSecond: number

  private constructor(
    cluster: Cluster,
    frames: readonly TimedFrame[],
    acceptedBefore: number,
    framesPerSecond: number,
  ) {
    this.#cluster = cluster
    this.#frames = frames
    this.#acceptedBefore = acceptedBefore
    this.#framesPerSecond = framesPerSecond
    const to = { transport: 'tcp' as const, host: '127.0.0.1', port: cluster.hepTcpPort }
    this.#sent = sendTcp(this.#paced(), to, { batchBytes: 16_384 })
    this.#sent.catch(() => {}) // Whoever finishes hears of it.
  }

  static async start(
    cluster: Cluster,
    frames: readonly TimedFrame[],
    framesPerSecond: number,
  ): Promise<Load> {
    return new Load(cluster, frames, await acceptedFrames(cluster), framesPerSecond)
  }

  /** Sends the rest as fast as it is taken, and waits until capture has all of it on disk. */
  async finish(): Promise<void> {
    this.#framesPerSecond = Number.POSITIVE_INFINITY
    await this.#sent
    while ((await acceptedFrames(this.#cluster)) < this.#acceptedBefore + this.#frames.length)
      await pause(TICK_MS)
  }

  /** For a capture that was killed: waits until the connection to it is over. What it had taken nobody knows. */
  async abandoned(): Promise<void> {
    this.#framesPerSecond = Number.POSITIVE_INFINITY
    await this.#sent.catch(() => {})
  }

  async *#paced(): AsyncGenerator<TimedFrame> {
    const startedMs = performance.now()
    let sent = 0
    for (const frame of this.#frames) {
      while (sent >= ((performance.now() - startedMs) / 1_000) * this.#framesPerSecond) await pause(TICK_MS)
      sent++
      yield frame
    }
  }
}

/** Since the capture process started. */
export function acceptedFrames(cluster: Cluster): Promise<number> {
  return cluster.capture.metric('trunkscope_capture_frames_total')
}

/** What is not as it must be, a sentence each; none: the cluster holds exactly these calls. */
export async function wrongOf(cluster: Cluster, calls: readonly KnownCalls[]): Promise<string[]> {
  const wrong = await wrongRows(cluster, calls)
  return wrong.length > 0 ? wrong : wrongAnswers(cluster, calls)
}

/** The same of what is stored, whoever stored it. */
export async function wrongRows(store: Rows, calls: readonly KnownCalls[]): Promise<string[]> {
  const frames = calls.reduce((sum, { frames }) => sum + frames.length, 0)
  const [stored] = await store.rows<{ n: string; ids: string }>(
    'SELECT count() AS n, uniqExact(row_id) AS ids FROM sip_messages FINAL',
  )
  if (Number(stored?.n) !== frames || Number(stored?.ids) !== frames)
    return [`${frames} frames were sent, ${stored?.n} rows with ${stored?.ids} identities are stored`]
  const expected = calls.flatMap(({ expected }) => expected)
  return [
    ...(await wrongAttempts(store, expected)),
    ...differences(await sumsOfAttempts(store.client), await sumsOfRollups(store.client)).slice(0, 5),
  ]
}

const COMPARED = {
  carrier: (one: ExpectedAttempt) => one.carrier,
  site: (one: ExpectedAttempt) => one.site,
  direction: (one: ExpectedAttempt) => one.direction,
  final_code: (one: ExpectedAttempt) => one.finalCode,
  disposition: (one: ExpectedAttempt) => one.disposition,
  cancel_class: (one: ExpectedAttempt) => one.cancelClass,
  attestation: (one: ExpectedAttempt) => one.attestation,
  tries: (one: ExpectedAttempt) => one.tries,
  invite_retransmissions: (one: ExpectedAttempt) => one.inviteRetransmissions,
  pdd_us: (one: ExpectedAttempt) => (one.pddMs === null ? null : Math.round(one.pddMs * 1_000)),
  duration_us: (one: ExpectedAttempt) =>
    one.durationMs === null ? null : Math.round(one.durationMs * 1_000),
}

/** Each attempt against what its caller knows of it. The customers' side of a call has no answer sheet: it must be closed. */
async function wrongAttempts(store: Rows, expected: readonly ExpectedAttempt[]): Promise<string[]> {
  const rows = await store.rows<Record<string, string | number | null>>(
    `SELECT concat(call_id, ' ', from_tag) AS name, lower(hex(attempt_id)) AS id, state, party, carrier, site, direction,
       final_code, disposition, cancel_class, attestation, tries, invite_retransmissions,
       toInt64(round(pdd_ms * 1000)) AS pdd_us, toInt64(round(duration_ms * 1000)) AS duration_us
     FROM call_attempts FINAL WHERE state != 'fragment'`,
  )
  const wrong: string[] = []
  const ids = new Set<unknown>()
  const found = new Map<unknown, (typeof rows)[number]>()
  for (const row of rows) {
    if (ids.has(row.id)) wrong.push(`attempt ${row.id} stands under two minutes`)
    ids.add(row.id)
    if (row.state !== 'closed') wrong.push(`attempt ${row.name} is ${row.state}`)
    if (row.party === 'carrier') found.set(row.name, row)
  }
  if (found.size !== expected.length)
    wrong.push(`${expected.length} attempts were made, ${found.size} are stored`)
  for (const one of expected) {
    const row = found.get(`${one.callId} ${one.fromTag}`)
    for (const [column, of] of Object.entries(COMPARED)) {
      const value = of(one)
      const got = row?.[column] ?? null
      const isSame = typeof value === 'number' ? Number(got) === value : got === value
      if (!isSame) wrong.push(`${one.callId}: ${column} is ${got}, by its caller ${value}`)
    }
  }
  return wrong.slice(0, 10)
}

/** And of what an api answers. */
export async function wrongAnswers(api: Answers, calls: readonly KnownCalls[]): Promise<string[]> {
  const expected = calls.flatMap((one) => one.expected)
  const minutes = expected.map((one) => Math.floor(one.invitedAtUs / 60_000_000) * 60)
  const ends = expected.map((one) => Math.floor(Math.max(one.closedAtUs, one.byeAtUs) / 60_000_000) * 60)
  const span = `from=${Math.min(...minutes)}&to=${Math.max(...ends) + 60}`
  const wrong: string[] = []
  for (const more of ['', '&exact=true']) {
    const answer = await api.json<KpiAnswer>(`/v1/kpis?${span}&group_by=carrier${more}`)
    for (const carrier of new Set(expected.map((one) => one.carrier))) {
      const own = expected.filter((one) => one.carrier === carrier)
      const group = answer.groups.find(({ by }) => by.carrier === carrier)
      const truth = {
        attempts: own.length,
        of487: own.filter((one) => one.finalCode === 487).length,
        ended: own.filter((one) => one.durationMs !== null).length,
      }
      const got = {
        attempts: group?.attempts,
        of487: group?.responses['487'] ?? 0,
        ended: (group?.kpis.acd as { count?: number } | undefined)?.count ?? 0,
      }
      if (JSON.stringify(got) !== JSON.stringify(truth))
        wrong.push(
          `/v1/kpis${more} of ${carrier}: ${JSON.stringify(got)}, by the callers ${JSON.stringify(truth)}`,
        )
    }
  }
  return wrong
}
