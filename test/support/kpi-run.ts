/**
 * Plays call flows through the rules and through the store, and asks both for the numbers.
 *
 * All files of a run play side by side in one store, each with addresses, carriers and Call-IDs of its own, on one clock.
 * At every moment that an eval names, everything received until then is stored; then the attempts, the rollups and the
 * exact SQL are compared with the rules, whatever the eval lines ask, and the eval lines with all of them.
 *
 * The ways to play it: in order of arrival; shuffled, stored in pieces; every frame doubled; cut by restarts that lose
 * what was not committed and read some of it again.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Engine } from '../../bin/connect/clickhouse.js'
import { observe } from '../../collector/enrich/observe.js'
import { attemptIdOf } from '../../collector/fold/attempt.js'
import { attemptKey, dialogTags, factsOf, factsText, mergeFacts } from '../../collector/fold/attempt-facts.js'
import { foldOf, identities } from '../../collector/fold-wiring.js'
import type { Fold } from '../../collector/store/open-attempts.js'
import { StoreRole } from '../../collector/store-role.js'
import type { Attempt } from '../../schemas/attempt.js'
import type { AttemptFacts } from '../../schemas/attempt-facts.js'
import { ATTEMPT_COLUMNS, type AttemptRow } from '../../schemas/call-attempts.js'
import { configSchema, type TrunkscopeConfig } from '../../schemas/config.js'
import type { ReceivedFrame } from '../../schemas/hep-frame.js'
import { evaluate } from './kpi-evaluate.js'
import {
  judgedByRules,
  judgedRows,
  judgeStored,
  type LegsOf,
  legProblems,
  linkedByRules,
} from './kpi-evidence.js'
import { type ScoresOf, scoreProblems, scoresByRules, scoresOfStore } from './kpi-fas.js'
import type { Flow } from './kpi-flow.js'
import { differences, sumsByRule, sumsOfAttempts, sumsOfRollups } from './kpi-sums.js'
import { type SuspicionsOf, suspicionProblems, suspicionsByRules } from './kpi-suspicions.js'

export interface Way {
  name: string
  seed: number
  shuffled?: boolean
  doubled?: boolean
  cut?: boolean
}

export type Store = Pick<Engine, 'writer' | 'rawWriter' | 'insertFolder'>

/** What did not come out as it should, by file name; '' for what no file is to blame for. */
export type Findings = Map<string, string[]>

const TABLES = [
  'call_attempts',
  'kpi_minute',
  'kpi_hour',
  'kpi_day',
  'rollup_freshness',
  'sip_messages',
  'agents_minute',
  'rejected_frames',
  'store_checkpoints',
  'stale_minutes',
  'attempt_verdicts',
  'call_legs',
  'evidence_leases',
  'attempt_anomalies',
  'anomaly_minutes',
]

export async function emptyTables(client: ClickHouseClient): Promise<void> {
  for (const table of TABLES) await client.command({ query: `TRUNCATE TABLE ${table}` })
}

/** Flows with one set of thresholds, all from `startUs`. */
export async function play(
  store: Store,
  flows: readonly Flow[],
  startUs: number,
  way: Way,
): Promise<Findings> {
  const player = new Player(store, flows, startUs, way)
  await emptyTables(store.writer)
  await player.play()
  return player.findings
}

class Player {
  readonly findings: Findings = new Map()
  readonly #config: TrunkscopeConfig
  readonly #rules: Rules
  readonly #random: () => number
  /** Everything delivered, as a bus would keep it, and how much of it the store has committed. */
  readonly #log: ReceivedFrame[] = []
  #committed = 0
  #role: StoreRole | undefined

  constructor(
    readonly store: Store,
    readonly flows: readonly Flow[],
    readonly startUs: number,
    readonly way: Way,
  ) {
    this.#config = configSchema.parse({
      sites: flows.flatMap((flow) => flow.sites),
      carriers: flows.flatMap((flow) => flow.carriers),
      customers: flows.flatMap((flow) => flow.customers),
      thresholds: flows[0]?.file.thresholds ?? {},
    })
    this.#rules = new Rules(foldOf(this.#config))
    this.#random = seededRandom(way.seed)
  }

  get #withEvidence(): boolean {
    return this.flows.some((flow) => flow.file.withEvidence)
  }

  async play(): Promise<void> {
    const moments = [...new Set(this.flows.flatMap((flow) => flow.file.evaluations.map((one) => one.atUs)))]
    let untilUs = Number.NEGATIVE_INFINITY
    for (const atUs of moments.sort((a, b) => a - b)) {
      const nowUs = this.startUs + atUs
      const parts = this.flows.map((flow) =>
        flow.frames.filter((frame) => frame.receivedAtUs > untilUs && frame.receivedAtUs <= nowUs),
      )
      await this.#deliverAll(parts)
      await this.#deliver([], nowUs)
      await this.#storeAll()
      if (this.#withEvidence) {
        await judgeStored(this.store.writer, this.#config)
        // What was recomputed has newer versions than this process knows of: the next one claims above them.
        this.#role = undefined
      }
      await this.#judge(atUs)
      untilUs = nowUs
    }
  }

  async #deliverAll(parts: readonly ReceivedFrame[][]): Promise<void> {
    const { shuffled, doubled, cut } = this.way
    if (parts.every((part) => part.length === 0)) return
    const order = (frames: ReceivedFrame[]) => {
      const all = doubled ? [...frames, ...frames] : frames
      return shuffled || doubled ? shuffle(all, this.#random) : all.sort(byArrival)
    }
    if (cut) {
      // Every file is cut in its own middle; a part of the first half is stored, the rest is lost with the process.
      const halves = parts.map((part) => (shuffled ? shuffle(part, this.#random) : part))
      const first = order(halves.flatMap((part) => part.slice(0, part.length >> 1)))
      const middle = Math.floor(first.length * this.#random())
      await this.#deliver(first.slice(0, middle))
      await this.#storeAll()
      await this.#deliver(first.slice(middle))
      await this.#restart()
      await this.#deliver(order(halves.flatMap((part) => part.slice(part.length >> 1))))
      return
    }
    const frames = order(parts.flat())
    const pieces = shuffled ? 3 : 1
    const size = Math.ceil(frames.length / pieces)
    for (let at = 0; at < frames.length; at += size) {
      await this.#deliver(frames.slice(at, at + size))
      if (at + size < frames.length) await this.#storeAll()
    }
  }

  async #deliver(frames: readonly ReceivedFrame[], receivedUntilUs = 0): Promise<void> {
    for (const frame of frames) this.#rules.add(frame)
    this.#rules.asOfUs = Math.max(this.#rules.asOfUs, receivedUntilUs)
    const position = this.#log.length
    this.#log.push(...frames)
    this.#role ??= await this.#open()
    await this.#role.accept({
      partition: 0,
      basePartition: 0,
      frames: [...frames],
      position,
      nextPosition: this.#log.length,
      receivedUntilUs,
    })
  }

  async #storeAll(): Promise<void> {
    await this.#role?.drain()
  }

  /** The process is gone; the next one reads from the committed position, and some of what came before it too. */
  async #restart(): Promise<void> {
    this.#role = await this.#open()
    const position = Math.floor(this.#committed * this.#random())
    await this.#role.accept({
      partition: 0,
      basePartition: 0,
      frames: this.#log.slice(position),
      position,
      nextPosition: this.#log.length,
      receivedUntilUs: 0,
    })
  }

  #open(): Promise<StoreRole> {
    return StoreRole.open({
      writer: this.store.writer,
      rawWriter: this.store.rawWriter,
      insertFolder: this.store.insertFolder,
      config: this.#config,
      basePartitions: [0],
      commit: async (_, position) => {
        this.#committed = position
      },
      log: (level, sentence) => {
        if (level !== 'info') this.#note('', sentence)
      },
      // Nothing is stored but when the run says so.
      flushIntervalMs: Number.POSITIVE_INFINITY,
      countAgents: false,
    })
  }

  async #judge(atUs: number): Promise<void> {
    const attempts = this.#rules.attempts()
    const legs: LegsOf = this.#withEvidence ? linkedByRules(attempts, this.#log, this.#config) : new Map()
    const judged = this.#withEvidence ? judgedByRules(attempts, legs, this.#config) : attempts
    const byRule = sumsByRule(judged.values())
    const [rollups, exact] = [await sumsOfRollups(this.store.writer), await sumsOfAttempts(this.store.writer)]
    const rows = await storedRows(this.store.writer)
    const moment = `at ${atUs / 1_000_000}s`
    for (const sentence of differences(byRule, rollups))
      this.#note(this.#fileOf(sentence), `${moment}, rollups: ${sentence}`)
    for (const sentence of differences(byRule, exact))
      this.#note(this.#fileOf(sentence), `${moment}, exact: ${sentence}`)
    for (const [id, attempt] of attempts) {
      if (attempt.state === 'fragment') continue
      const problem = rowProblem(attempt, this.#rules.factsText(id), rows.get(id))
      rows.delete(id)
      if (problem !== '')
        this.#note(this.#fileOfCall(attempt.callId), `${moment}, ${attempt.callId}: ${problem}`)
    }
    for (const row of rows.values()) {
      if (row.state !== 'fragment')
        this.#note('', `${moment}: a stored attempt that the rules do not know: ${row.call_id}`)
    }
    const evidenceProblems = this.#withEvidence
      ? [...(await judgedRows(this.store.writer, judged)), ...(await legProblems(this.store.writer, legs))]
      : []
    for (const problem of evidenceProblems) this.#note(this.flows[0]!.file.name, `${moment}: ${problem}`)
    const suspicions: SuspicionsOf = this.#withEvidence
      ? suspicionsByRules(attempts, this.#log, this.#config)
      : new Map()
    for (const problem of this.#withEvidence ? await suspicionProblems(this.store.writer, suspicions) : []) {
      this.#note(this.flows[0]!.file.name, `${moment}: ${problem}`)
    }
    const scores = await this.#scores(attempts, atUs)
    const said = { judged, suspicions, scores, legs }
    const tables = { rule: byRule, rollups, exact }
    for (const flow of this.flows) {
      for (const evaluation of flow.file.evaluations) {
        if (evaluation.atUs !== atUs) continue
        for (const problem of evaluate(evaluation, flow, said, tables, this.startUs)) {
          this.#note(flow.file.name, `${evaluation.place}: ${evaluation.text}\n    ${problem}`)
        }
      }
    }
  }

  /** Of those that ask for them: FAS scores compare calls with all others of the store. */
  async #scores(attempts: ReadonlyMap<string, Attempt>, atUs: number): Promise<ScoresOf> {
    const isAsked = this.flows.some(({ file }) =>
      file.evaluations.some(
        (one) => one.atUs === atUs && one.asks.kind === 'rule' && one.asks.rule.family === 'score',
      ),
    )
    if (!isAsked) return new Map()
    const scores = scoresByRules(attempts, this.#config)
    const span = { fromUs: this.startUs, toUs: this.startUs + atUs }
    for (const problem of scoreProblems(scores, await scoresOfStore(this.store.writer, this.#config, span)))
      this.#note(this.#fileOf(problem), problem)
    return scores
  }

  #note(file: string, sentence: string): void {
    this.findings.set(file, [...(this.findings.get(file) ?? []), sentence])
  }

  /** Ids end in the slot of their file. */
  #fileOf(sentence: string): string {
    const slot = /-(\d+)\b/.exec(sentence)?.[1]
    return this.flows.find((flow) => flow.slot === Number(slot))?.file.name ?? ''
  }

  #fileOfCall(callId: string): string {
    const slot = /\.(\d+)@/.exec(callId)?.[1]
    return this.flows.find((flow) => flow.slot === Number(slot))?.file.name ?? ''
  }
}

/** The oracle: what the messages prove, merged in the order in which they came, and the rules over it. */
class Rules {
  readonly #facts = new Map<string, AttemptFacts>()
  asOfUs = 0

  constructor(private readonly fold: Fold) {}

  add(frame: ReceivedFrame): void {
    this.asOfUs = Math.max(this.asOfUs, frame.receivedAtUs)
    const seen = observe(frame)
    if ('reason' in seen || !['', 'no_via'].includes(seen.observed.message.parseError)) return
    for (const tag of dialogTags(seen.observed) ?? []) {
      const key = attemptKey(seen.observed, tag)
      const id = attemptIdOf(key)
      const facts = factsOf(seen.observed, key, identities)
      const present = this.#facts.get(id)
      if (present === undefined) this.#facts.set(id, facts)
      else mergeFacts(present, facts)
    }
  }

  attempts(): Map<string, Attempt> {
    return new Map([...this.#facts].map(([id, facts]) => [id, this.fold.attemptOf(id, facts, this.asOfUs)]))
  }

  factsText(id: string): string {
    return factsText(this.#facts.get(id) as AttemptFacts)
  }
}

const COMPARED = ATTEMPT_COLUMNS.filter(
  ({ name }) => !['version', 'is_deleted', 'bus_partition', 'stored_at', 'facts'].includes(name),
)
const SELECTED = [...COMPARED, ...ATTEMPT_COLUMNS.filter(({ name }) => name === 'facts')].map(
  ({ name, type }) => {
    if (type === 'FixedString(16)') return `lower(hex(${name})) AS hex_${name}`
    return type === 'DateTime' ? `toUInt32(${name}) AS s_${name}` : name
  },
)

async function storedRows(client: ClickHouseClient): Promise<Map<string, Record<string, unknown>>> {
  const result = await client.query({
    query: `SELECT ${SELECTED.join(', ')} FROM call_attempts FINAL`,
    format: 'JSONEachRow',
  })
  const rows = new Map<string, Record<string, unknown>>()
  for (const row of await result.json<Record<string, unknown>>()) {
    const id = String(row.hex_attempt_id)
    // Twice the same attempt under two minutes: the second gets a name that nobody will ask for.
    rows.set(rows.has(id) ? `${id} again` : id, row)
  }
  return rows
}

/** How the stored row differs from the record that the rules make; '' when it does not. */
function rowProblem(attempt: Attempt, facts: string, row: Record<string, unknown> | undefined): string {
  if (row === undefined) return 'is not stored'
  for (const column of COMPARED) {
    const expected = column.of({ attempt } as AttemptRow)
    const stored =
      row[
        column.type === 'FixedString(16)'
          ? `hex_${column.name}`
          : column.type === 'DateTime'
            ? `s_${column.name}`
            : column.name
      ]
    const got = /^U?Int64$/.test(column.type) ? Number(stored) : stored
    if (JSON.stringify(got) !== JSON.stringify(expected)) {
      return `${column.name} is stored as ${JSON.stringify(got)}, by the rule ${JSON.stringify(expected)}`
    }
  }
  return row.facts === facts ? '' : `facts are stored as ${String(row.facts)}, by the rule ${facts}`
}

const byArrival = (a: ReceivedFrame, b: ReceivedFrame) => a.receivedAtUs - b.receivedAtUs

export function shuffle<Item>(items: readonly Item[], random: () => number): Item[] {
  const shuffled = [...items]
  for (let at = shuffled.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    ;[shuffled[at], shuffled[other]] = [shuffled[other] as Item, shuffled[at] as Item]
  }
  return shuffled
}

/** Mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
