/**
 * The language of .kpi files: call flows, and the numbers they must give (house style §5).
 *
 *   file    => comment | set | clock | load | attempt | at | eval | rule, one a line; the first comment is the name of the test
 *   set     => "set" ring_timers_s=20,30,60 | pre_ring_patience_ms=4000            thresholds of this file
 *              | evidence=on                          the evidence passes look at all attempts before each moment that is asked
 *   clock   => "clock" agent=2 -3s                    the clock of that agent is 3 s behind; times are written in true time
 *   load    => "load" (carrier=… | customer=…) [site=fra] [direction=outbound|inbound] [agent=1,2]
 *   attempt => name["*"copies] event*                  under its load; the same name again goes on with the flow
 *   event   => time what key*                          what: a method, a status code, or ^ for the last message again
 *   at      => "at" time                               the evals below are asked when that time has come
 *   eval    => "eval" what where* expectation*
 *   rule    => "rule" family code fires=a,b silent=c limit=b,c      who has a rule code, and who has not: `kpi-rules.ts`
 *
 * Keys of an event: cseq=2 | cseq=BYE, branch, agent, tag (To-tag), sdp (a name, name@address, or none), reason, phrase,
 * identity=A|B|C|div|malformed|@file, pai, ruri, from=callee, late=5s (arrives that much later), h.<Header>="…" (replaces
 * a header the flow writes by itself; h.<Header>="" takes it out). How a flow becomes messages: `kpi-flow.ts`.
 *
 * What an eval asks, and its expectation
 *   a ratio KPI          numerator 1  denominator 2  excluded 0  incomplete 0  open 0  ratio 0.5  interval 0.0945..0.9055
 *   a mean or quantile   value 0.3  count 28  [reason insufficient_data]
 *   attempts | open | incomplete                3
 *   responses | dispositions | cancels | attestations      200=2 486=1
 *   a column of call_attempts, with attempt=a   1200 | null | true | a word | none
 *   suspicions, with attempt=a (evidence=on)    codes of schemas/anomalies.ts | none
 *   trunk_group, with attempt=a                 tgrp and context of the Request-URI | none
 *   routing_number, with attempt=a              rn of the Request-URI | none
 *   legs, with attempt=a (evidence=on)          how it is known to be of its call and how surely, then the other legs | none
 *
 * Where: carrier=, customer=, site=, direction=, window=1m (from the start) or window=5m..6m, attempt=. Without an `at`
 * line an eval is asked two hours after the start: whatever can time out has. Unknown words are errors with the line.
 *
 * Throws   KpiSyntaxError.
 */
import { ANOMALY_CODES } from '../../schemas/anomalies.js'
import { ATTEMPT_COLUMNS } from '../../schemas/call-attempts.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { KPI_NAMES, kpiOf } from '../../schemas/kpi-catalog.js'
import { BESIDE } from './kpi-beside.js'
import { type RuleLine, ruleLineOf } from './kpi-rules.js'
import { KpiSyntaxError, timeUs, type Word, wordsOf } from './kpi-words.js'

export interface KpiFile {
  name: string
  /** The first comment: what the caller experiences. */
  sentence: string
  thresholds: { ring_timers_s?: number[]; pre_ring_patience_ms?: number }
  /** Whether the evidence passes look at the attempts before anything is evaluated. */
  withEvidence: boolean
  /** How far an agent's clock is ahead, by agent number. */
  clocksUs: Map<number, number>
  loads: Load[]
  evaluations: Evaluation[]
}

export interface Load {
  party: 'carrier' | 'customer'
  owner: string
  site: string
  direction: 'inbound' | 'outbound'
  agents: number[]
  attempts: AttemptFlow[]
}

export interface AttemptFlow {
  name: string
  copies: number
  events: FlowEvent[]
}

export interface FlowEvent {
  place: string
  atUs: number
  /** A method, a status code, or '^'. */
  what: string
  keys: Word[]
}

export interface Where {
  carrier?: string
  customer?: string
  site?: string
  direction?: string
  /** Name of the attempt. */
  attempt?: string
  /** Microseconds from the start. */
  windowUs?: [from: number, to: number]
}

export interface Evaluation {
  place: string
  text: string
  atUs: number
  where: Where
  asks:
    | { kind: 'kpi'; kpi: Kpi; expected: Map<string, string> }
    | { kind: 'count'; column: string; expected: number }
    | { kind: 'map'; column: string; expected: Record<string, number> }
    | { kind: 'attempt'; column: string; expected: string[] }
    | { kind: 'rule'; rule: RuleLine }
}

export const METHODS: readonly string[] = [
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'PRACK',
  'UPDATE',
  'INFO',
  'REFER',
  'NOTIFY',
  'OPTIONS',
  'MESSAGE',
]
const EVENT_KEYS = [
  'cseq',
  'branch',
  'agent',
  'tag',
  'sdp',
  'reason',
  'phrase',
  'identity',
  'pai',
  'ruri',
  'from',
  'late',
]
const RATIO_WORDS = ['numerator', 'denominator', 'excluded', 'incomplete', 'open', 'ratio', 'interval']
const MEASURE_WORDS = ['value', 'count', 'reason']
const COUNTS = ['attempts', 'open', 'incomplete']
const MAPS = ['responses', 'dispositions', 'cancels', 'attestations']
/** Columns with no value of their own that a reader of a .kpi file could know. */
const HIDDEN_COLUMNS = [
  'version',
  'is_deleted',
  'bus_partition',
  'stored_at',
  'facts',
  'identities',
  'attempt_id',
]
const AT_THE_END_US = 7_200_000_000

export function parseKpiFile(name: string, text: string): KpiFile {
  const reader = new Reader(name)
  text.split('\n').forEach((line, index) => {
    reader.read(line, index + 1)
  })
  return reader.finish()
}

class Reader {
  readonly #file: KpiFile
  #atUs: number | undefined
  #load: Load | undefined

  constructor(name: string) {
    this.#file = {
      name,
      sentence: '',
      thresholds: {},
      withEvidence: false,
      clocksUs: new Map(),
      loads: [],
      evaluations: [],
    }
  }

  read(line: string, number: number): void {
    const place = `${this.#file.name}:${number}`
    const comment = /^\s*#\s*(.*)$/.exec(line)?.[1]
    if (comment !== undefined && this.#file.sentence === '') this.#file.sentence = sentenceOf(comment)
    const [first, ...words] = wordsOf(line, place)
    if (first === undefined) return
    const statement = STATEMENTS[first.text]
    if (statement === undefined) this.#attempt(first, words, place)
    else this[statement](words, place, line.trim())
  }

  finish(): KpiFile {
    const file = this.#file
    if (file.sentence === '')
      throw new KpiSyntaxError(`${file.name}:1`, 'begin with a comment that says what happens')
    if (file.evaluations.length === 0)
      throw new KpiSyntaxError(`${file.name}:1`, 'nothing is evaluated; add an eval line')
    return file
  }

  set(words: Word[], place: string): void {
    const read: Record<string, (value: string) => void> = {
      ring_timers_s: (value) => {
        this.#file.thresholds.ring_timers_s = value.split(',').map((one) => numberOf(one, place))
      },
      pre_ring_patience_ms: (value) => {
        this.#file.thresholds.pre_ring_patience_ms = numberOf(value, place)
      },
      evidence: (value) => {
        if (value !== 'on') throw new KpiSyntaxError(place, 'the passes are asked for with: set evidence=on')
        this.#file.withEvidence = true
      },
    }
    for (const word of words) known(read, word.key || word.text, place)(word.value)
  }

  clock(words: Word[], place: string): void {
    const [agent, offset] = words
    const offsetUs = timeUs(offset?.text ?? '')
    if (agent?.key !== 'agent' || offsetUs === undefined || words.length !== 2) {
      throw new KpiSyntaxError(place, 'a clock is written: clock agent=2 -3s')
    }
    this.#file.clocksUs.set(agentNumber(agent.value, place), offsetUs)
  }

  load(words: Word[], place: string): void {
    const load: Load = {
      party: 'carrier',
      owner: '',
      site: 'fra',
      direction: 'outbound',
      agents: [1],
      attempts: [],
    }
    const owned = (party: Load['party']) => (value: string) => {
      if (load.owner !== '') throw new KpiSyntaxError(place, 'a leg is a carrier’s or a customer’s, not both')
      load.party = party
      load.owner = value
    }
    const read: Record<string, (value: string) => void> = {
      carrier: owned('carrier'),
      customer: owned('customer'),
      site: (value) => {
        load.site = value
      },
      direction: (value) => {
        load.direction = directionOf(value, place)
      },
      agent: (value) => {
        load.agents = value.split(',').map((one) => agentNumber(one, place))
      },
    }
    for (const word of words) known(read, word.key || word.text, place)(word.value)
    if (load.owner === '')
      throw new KpiSyntaxError(place, 'say whose leg it is: load carrier=… or load customer=…')
    this.#load = load
    this.#file.loads.push(load)
  }

  at(words: Word[], place: string): void {
    const atUs = timeUs(words[0]?.text ?? '')
    if (atUs === undefined || words.length !== 1)
      throw new KpiSyntaxError(place, 'a moment is written: at 40s')
    this.#atUs = atUs
  }

  eval(words: Word[], place: string, text: string): void {
    const [what, ...rest] = words
    if (what === undefined) throw new KpiSyntaxError(place, 'say what to evaluate: eval ner carrier=acme …')
    const asksOfAttempt = rest.some((word) => word.key === 'attempt')
    const isMap = MAPS.includes(what.text) && !asksOfAttempt
    const where: Where = {}
    const expected: Word[] = []
    for (const word of rest) {
      if (isMap && !(word.key in WHERE)) expected.push(word)
      else if (word.key === '') expected.push(word)
      else known(WHERE, word.key, place)(where, word.value, place)
    }
    const asks = asksOfAttempt
      ? ofAttempt(what.text, expected, place)
      : (ofKpi(what.text, expected, place) ?? ofCount(what.text, expected, place))
    if (asks === undefined) {
      throw new KpiSyntaxError(
        place,
        `'${what.text}' is no KPI (${KPI_NAMES.join(', ')}), no count (${[...COUNTS, ...MAPS].join(', ')}), ` +
          'and without attempt= no column of an attempt',
      )
    }
    this.#file.evaluations.push({ place, text, atUs: this.#atUs ?? AT_THE_END_US, where, asks })
  }

  rule(words: Word[], place: string, text: string): void {
    const asks = { kind: 'rule' as const, rule: ruleLineOf(words, place) }
    this.#file.evaluations.push({ place, text, atUs: this.#atUs ?? AT_THE_END_US, where: {}, asks })
  }

  #attempt(first: Word, words: Word[], place: string): void {
    const match = /^([A-Za-z][\w-]*)(?:\*([1-9]\d*))?$/.exec(first.text)
    if (match === null || timeUs(words[0]?.text ?? '') === undefined) {
      throw new KpiSyntaxError(
        place,
        `'${first.text}' is neither a statement (${Object.keys(STATEMENTS).join(', ')}) nor the name of an attempt with its events`,
      )
    }
    if (this.#load === undefined) throw new KpiSyntaxError(place, 'an attempt stands under a load line')
    const name = match[1] as string
    const copies = Number(match[2] ?? 1)
    const events = eventsOf(words, place)
    const before = this.#load.attempts.find((attempt) => attempt.name === name)
    if (before === undefined) this.#load.attempts.push({ name, copies, events })
    else if (match[2] !== undefined) throw new KpiSyntaxError(place, `'${name}' goes on without its count`)
    else before.events.push(...events)
  }
}

const STATEMENTS: Record<string, 'set' | 'clock' | 'load' | 'at' | 'eval' | 'rule'> = {
  set: 'set',
  clock: 'clock',
  load: 'load',
  at: 'at',
  eval: 'eval',
  rule: 'rule',
}

const WHERE: Record<string, (where: Where, value: string, place: string) => void> = {
  carrier: (where, value) => {
    where.carrier = value
  },
  customer: (where, value) => {
    where.customer = value
  },
  site: (where, value) => {
    where.site = value
  },
  direction: (where, value, place) => {
    where.direction = directionOf(value, place)
  },
  attempt: (where, value) => {
    where.attempt = value
  },
  window: (where, value, place) => {
    const [from, to] = value.includes('..') ? value.split('..') : ['0s', value]
    const fromUs = timeUs(from ?? '')
    const toUs = timeUs(to ?? '')
    if (fromUs === undefined || toUs === undefined || fromUs % 60_000_000 !== 0 || toUs % 60_000_000 !== 0) {
      throw new KpiSyntaxError(place, 'a window is written in whole minutes: window=1m or window=5m..6m')
    }
    where.windowUs = [fromUs, toUs]
  },
}

function eventsOf(words: Word[], place: string): FlowEvent[] {
  const events: FlowEvent[] = []
  for (let at = 0; at < words.length; ) {
    const time = words[at++] as Word
    const atUs = timeUs(time.text)
    if (atUs === undefined) {
      throw new KpiSyntaxError(place, `'${time.text}' is no time; an event is written: 1.2s 180 key=value`)
    }
    const what = words[at++]?.text ?? ''
    if (what !== '^' && !METHODS.includes(what) && !/^[1-6]\d\d$/.test(what)) {
      throw new KpiSyntaxError(
        place,
        `'${what}' is no method (${METHODS.join(', ')}), no status code and no ^`,
      )
    }
    const keys: Word[] = []
    while (at < words.length && words[at]?.key !== '') keys.push(checkKey(words[at++] as Word, what, place))
    events.push({ place, atUs, what, keys })
  }
  return events
}

function checkKey(word: Word, what: string, place: string): Word {
  if (what === '^' && !['agent', 'late'].includes(word.key)) {
    throw new KpiSyntaxError(place, `^ repeats a message as it was: '${word.key}' cannot change it`)
  }
  if (/^h\.[A-Za-z][\w-]*$/.test(word.key)) return word
  if (!EVENT_KEYS.includes(word.key)) {
    throw new KpiSyntaxError(
      place,
      `'${word.key}' is no key of an event (${EVENT_KEYS.join(', ')}, h.<Header>)`,
    )
  }
  if (word.key === 'from' && !['caller', 'callee'].includes(word.value)) {
    throw new KpiSyntaxError(place, 'from=caller or from=callee')
  }
  if (word.key === 'late' && timeUs(word.value) === undefined) {
    throw new KpiSyntaxError(place, 'a delay on the way is written: late=5s')
  }
  if (word.key === 'identity' && !/^(A|B|C|div|malformed|@.+)$/.test(word.value)) {
    throw new KpiSyntaxError(place, `identity=${word.value}: write A, B, C, div, malformed or @file`)
  }
  return word
}

function ofKpi(name: string, expected: Word[], place: string): Evaluation['asks'] | undefined {
  const kpi = kpiOf(name)
  if (kpi === undefined) return undefined
  const words = kpi.kind === 'ratio' ? RATIO_WORDS : MEASURE_WORDS
  const pairs = new Map<string, string>()
  for (let at = 0; at < expected.length; at += 2) {
    const word = (expected[at] as Word).text
    const value = expected[at + 1]?.text
    if (!words.includes(word))
      throw new KpiSyntaxError(place, `'${word}' is not said of ${name} (${words.join(', ')})`)
    if (value === undefined || !/^(null|[\d.]+|insufficient_data)$/.test(value)) {
      throw new KpiSyntaxError(place, `'${word}' needs a number or null`)
    }
    pairs.set(word, value)
  }
  if (pairs.size === 0) throw new KpiSyntaxError(place, `say what ${name} must be: ${words.join(', ')}`)
  return { kind: 'kpi', kpi, expected: pairs }
}

function ofCount(name: string, expected: Word[], place: string): Evaluation['asks'] | undefined {
  if (COUNTS.includes(name)) {
    if (expected.length !== 1) throw new KpiSyntaxError(place, `${name} is one number`)
    return { kind: 'count', column: name, expected: numberOf((expected[0] as Word).text, place) }
  }
  if (!MAPS.includes(name)) return undefined
  const counts: Record<string, number> = {}
  for (const word of expected) {
    if (word.text === 'none' && expected.length === 1) return { kind: 'map', column: name, expected: {} }
    if (word.key === '') throw new KpiSyntaxError(place, `'${word.text}': write for example 200=2, or none`)
    counts[word.key] = numberOf(word.value, place)
  }
  return { kind: 'map', column: name, expected: counts }
}

function ofAttempt(name: string, expected: Word[], place: string): Evaluation['asks'] {
  if (Object.hasOwn(BESIDE, name)) {
    for (const { text } of expected) {
      if (name === 'suspicions' && text !== 'none' && !(ANOMALY_CODES as readonly string[]).includes(text)) {
        throw new KpiSyntaxError(place, `'${text}' is no code of a suspicion (${ANOMALY_CODES.join(', ')})`)
      }
    }
    return { kind: 'attempt', column: name, expected: expected.map(({ text }) => text) }
  }
  const column = ATTEMPT_COLUMNS.find((candidate) => candidate.name === name)
  if (column === undefined || HIDDEN_COLUMNS.includes(name)) {
    throw new KpiSyntaxError(place, `'${name}' is no column of an attempt that can be asked for`)
  }
  if (expected.length === 0) throw new KpiSyntaxError(place, `say what ${name} must be`)
  return { kind: 'attempt', column: name, expected: expected.map((word) => word.value) }
}

function known<Value>(table: Record<string, Value>, key: string, place: string): Value {
  const found = Object.hasOwn(table, key) ? table[key] : undefined
  if (found === undefined) {
    throw new KpiSyntaxError(place, `'${key}' is not known here (${Object.keys(table).join(', ')})`)
  }
  return found
}

function directionOf(value: string, place: string): Load['direction'] {
  if (value === 'inbound' || value === 'outbound') return value
  throw new KpiSyntaxError(place, `direction=${value}: write inbound or outbound`)
}

function agentNumber(value: string, place: string): number {
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value)
  throw new KpiSyntaxError(place, `agent=${value}: an agent is a number from 1 to 9999`)
}

function numberOf(text: string, place: string): number {
  const number = Number(text)
  if (text === '' || !Number.isFinite(number)) throw new KpiSyntaxError(place, `'${text}' is no number`)
  return number
}

/** "test/kpi/rate-487.kpi   the caller hangs up" and "the caller hangs up" are the same sentence. */
function sentenceOf(comment: string): string {
  return comment.replace(/^\S+\.kpi\s+/, '').trim()
}
