/**
 * What waits for one sink, and the sending of it.
 *
 * At least once, and of one alert in order: a later transition waits until the one before is delivered or dead. Requests to
 * a sink follow one another, so that a slow one holds up itself and no other. While an alert fires it is told again
 * (Alertmanager forgets it otherwise; the others have a repeat interval).
 *
 * Before a request the rows are looked at once more: another process over the same tables may have told the sink already, or
 * something later. Without an answer of the store the request goes out: told twice is better than not at all.
 *
 * An answer is one of four. Taken: 2xx. Refused, and dead: 400, 405, 413, 415, 422; of several notices in one request each is
 * then sent alone, so that a bad one holds up no good one. Gone: 410 of a webhook switches the sink off until the next
 * start. Everything else is tried again: also 401, 403, 404 and redirects, which somebody can mend while it waits.
 */
import type { Notice } from '../../schemas/alert-hook.js'
import { backoffMs, Circuit } from './outbox-pace.js'
import type { Delivery } from './outbox-rows.js'
import type { FileWriter } from './sinks/folder.js'
import { type Outcome, type Post, sentenceOf } from './sinks/post.js'
import { requestFor } from './sinks/request.js'
import { type Sink, takes } from './sinks/sink.js'

/** With the backoff of five minutes at most: over six hours. */
export const TRIES_MAX = 100
const REFUSALS: ReadonlySet<number> = new Set([400, 405, 410, 413, 415, 422])
const ALERTMANAGER_BATCH_MAX = 64
const SLACK_BATCH_MAX = 20
/** Slack takes about a message a second. */
const SLACK_INTERVAL_MS = 1_000
export const WRONG_KIND = 'the sink does not take what is told here: it is of another type now'

export interface QueueDeps {
  post: Post
  /** For sinks that are folders. */
  writeFiles: FileWriter
  /** The last transitions of these alerts for this sink, as they are stored; undefined: the store does not say. */
  look(sink: string, keys: readonly string[]): Promise<readonly Delivery[] | undefined>
  /** Stores how the deliveries stand now; never rejects. */
  record(deliveries: readonly Delivery[]): Promise<void>
  log: (level: 'info' | 'warn' | 'error', sentence: string) => void
  nowMs: () => number
  random: () => number
  /** Aborted when the outbox does not wait any longer. */
  signal: AbortSignal
}

/** Told while it fires. */
interface Firing {
  notice: Notice
  deliveredAtMs: number
  tellAtMs: number
  failures: number
  isAlone: boolean
}

/** One notice of a request: a delivery for the first time, or a repeat of what was delivered. */
type Telling =
  | { kind: 'delivery'; notice: Notice; delivery: Delivery }
  | { kind: 'repeat'; notice: Notice; firing: Firing }

export interface SinkStatus {
  id: string
  type: Sink['type']
  state: 'ok' | 'failing' | 'off'
  waiting: number
  firing: number
  lastError: string
  /** It failed so often in a row that it is left alone for a while. */
  isLeftAlone: boolean
  /** Given up by this process. */
  dead: number
}

export class SinkQueue {
  sink: Sink
  readonly #deps: QueueDeps
  readonly #circuit = new Circuit()
  /** By alert, ascending by transition; never an empty list. */
  readonly #waiting = new Map<string, Delivery[]>()
  readonly #firing = new Map<string, Firing>()
  /** Deliveries that were refused together with others. */
  readonly #alone = new WeakSet<Delivery>()
  #pausedUntilMs = 0
  #isOff = false
  #isClosed = false
  #lastError = ''
  #dead = 0
  #passing: Promise<void> | undefined

  constructor(sink: Sink, deps: QueueDeps) {
    this.sink = sink
    this.#deps = deps
  }

  get isOff(): boolean {
    return this.#isOff
  }

  get status(): SinkStatus {
    const waiting = [...this.#waiting.values()].reduce((sum, list) => sum + list.length, 0)
    return {
      id: this.sink.id,
      type: this.sink.type,
      state: this.#isOff ? 'off' : this.#lastError === '' ? 'ok' : 'failing',
      waiting,
      firing: this.#firing.size,
      lastError: this.#lastError,
      isLeftAlone: this.#circuit.isOpen,
      dead: this.#dead,
    }
  }

  has(key: string, transition: number): boolean {
    return (this.#waiting.get(key) ?? []).some(({ notice }) => notice.transition === transition)
  }

  add(delivery: Delivery): void {
    const { key, transition } = delivery.notice
    if (this.has(key, transition)) return
    const list = [...(this.#waiting.get(key) ?? []), delivery]
    this.#waiting.set(
      key,
      list.sort((a, b) => a.notice.transition - b.notice.transition),
    )
  }

  /** Whether the sink was told, or is to be told, that this alert fires. */
  tells(key: string): boolean {
    return this.#firing.has(key) || this.#waiting.has(key)
  }

  /** What was delivered before this process began, or by another one. */
  addFiring(notice: Notice, deliveredAtMs: number): void {
    if (this.#isOff || this.tells(notice.key)) return
    const nowMs = this.#deps.nowMs()
    const tellAtMs =
      this.sink.type === 'alertmanager'
        ? Math.max(nowMs, deliveredAtMs + this.#intervalMs())
        : this.#nextTellMs(deliveredAtMs, nowMs)
    this.#firing.set(notice.key, { notice, deliveredAtMs, tellAtMs, failures: 0, isAlone: false })
  }

  /** Takes everything out that waits. */
  takeAll(): Delivery[] {
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    this.#firing.clear()
    return all
  }

  /** Sends what is due. A second call while one runs is the same one. */
  pass(): Promise<void> {
    this.#passing ??= this.#sendDue().finally(() => {
      this.#passing = undefined
    })
    return this.#passing
  }

  /** No request is begun after this; resolves when the one that runs is over. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#passing
  }

  /** When there is something to do next; Infinity: only when something is added. */
  nextAtMs(): number {
    if (this.#isOff) return Number.POSITIVE_INFINITY
    const heads = [...this.#waiting.values()].map(([head]) => head!.nextTryAtMs)
    const tells = [...this.#firing.values()]
      .filter(({ notice }) => !this.#waiting.has(notice.key))
      .map(({ tellAtMs }) => tellAtMs)
    const dueMs = [...heads, ...tells].reduce(
      (least, atMs) => Math.min(least, atMs),
      Number.POSITIVE_INFINITY,
    )
    return Math.max(dueMs, this.#circuit.readyAtMs, this.#pausedUntilMs)
  }

  async #sendDue(): Promise<void> {
    while (!this.#isClosed && !this.#isOff && this.nextAtMs() <= this.#deps.nowMs()) {
      const batch = this.#nextBatch()
      if (batch.length === 0) return
      const owed = await this.#stillOwed(await this.#fitting(batch))
      if (owed.length > 0 && !this.#isClosed) await this.#send(owed)
    }
  }

  /** Without what a sink that became another one by a reload does not take. */
  async #fitting(batch: readonly Telling[]): Promise<Telling[]> {
    const [fitting, unfit] = [true, false].map((fits) =>
      batch.filter(({ notice }) => takes(this.sink, notice) === fits),
    )
    for (const telling of unfit!) if (telling.kind === 'repeat') this.#firing.delete(telling.notice.key)
    const deliveries = unfit!.flatMap((telling) => (telling.kind === 'delivery' ? [telling.delivery] : []))
    if (deliveries.length > 0) await this.#die(deliveries, WRONG_KIND, this.#deps.nowMs(), false)
    return fitting!
  }

  /** Without what another process has told meanwhile. */
  async #stillOwed(batch: readonly Telling[]): Promise<Telling[]> {
    if (batch.length === 0) return []
    const rows = await this.#deps.look(
      this.sink.id,
      batch.map(({ notice }) => notice.key),
    )
    if (rows === undefined) return [...batch]
    return batch.filter((telling) => {
      const { key, transition } = telling.notice
      const ofAlert = rows.filter(({ notice }) => notice.key === key)
      const later = ofAlert.filter(({ notice }) => notice.transition > transition)
      if (telling.kind === 'repeat') {
        const isOver = later.some(
          ({ notice, state }) => state === 'delivered' || notice.status === 'resolved',
        )
        if (isOver) this.#firing.delete(key)
        return !isOver
      }
      const told = ofAlert.find(
        ({ notice, state }) => notice.transition === transition && state === 'delivered',
      )
      const overtaken = later.some(({ state }) => state === 'delivered')
      if (told === undefined && !overtaken) return true
      this.#ended(telling.delivery, this.#deps.nowMs())
      if (told !== undefined && !overtaken && telling.notice.status === 'firing')
        this.addFiring(telling.notice, told.updatedAtMs)
      else this.#firing.delete(key)
      return false
    })
  }

  #nextBatch(): Telling[] {
    const nowMs = this.#deps.nowMs()
    const heads = [...this.#waiting.values()]
      .map(([head]) => head!)
      .filter(({ nextTryAtMs }) => nextTryAtMs <= nowMs)
      // What failed often must not be all that is tried while the others wait.
      .sort((a, b) => a.tries - b.tries || a.storedAtMs - b.storedAtMs)
      .map((delivery): Telling => ({ kind: 'delivery', notice: delivery.notice, delivery }))
    const repeats = [...this.#firing.values()]
      .filter(({ notice, tellAtMs }) => tellAtMs <= nowMs && !this.#waiting.has(notice.key))
      .map((firing): Telling => ({ kind: 'repeat', notice: firing.notice, firing }))
    const due = [...heads, ...repeats]
    const [first] = due
    if (first === undefined || this.#isAlone(first)) return due.slice(0, 1)
    const together = due.filter((one) => !this.#isAlone(one))
    if (this.sink.type === 'alertmanager') return together.slice(0, ALERTMANAGER_BATCH_MAX)
    if (this.sink.type === 'webhook' && this.sink.template === 'slack') {
      const carrier = first.notice.labels.carrier
      return together.filter(({ notice }) => notice.labels.carrier === carrier).slice(0, SLACK_BATCH_MAX)
    }
    return [first]
  }

  #isAlone(telling: Telling): boolean {
    return telling.kind === 'delivery' ? this.#alone.has(telling.delivery) : telling.firing.isAlone
  }

  async #send(batch: readonly Telling[]): Promise<void> {
    const { log, nowMs, random, signal } = this.#deps
    const answer = await this.#tell(batch)
    // Called off by the end of the process: it may have arrived or not, and is sent again at the next start.
    if (signal.aborted && answer.kind === 'failed') {
      this.#isClosed = true
      return
    }
    const atMs = nowMs()
    if (this.sink.type === 'webhook' && this.sink.template === 'slack')
      this.#pausedUntilMs = atMs + SLACK_INTERVAL_MS
    const sentence = sentenceOf(answer)
    const status = answer.kind === 'answered' ? answer.status : 0
    if (status >= 200 && status < 300) {
      if (this.#circuit.isOpen) log('info', `sink ${this.sink.id} takes alerts again`)
      this.#circuit.answered()
      this.#lastError = ''
      await this.#taken(batch, atMs)
    } else if (status === 410 && this.sink.type === 'webhook') {
      await this.#gone(sentence, atMs)
    } else if (answer.kind === 'refused' || REFUSALS.has(status)) {
      this.#circuit.answered()
      await this.#refused(batch, sentence, atMs)
    } else {
      const wasOpen = this.#circuit.isOpen
      this.#circuit.failed(atMs, random)
      if (!wasOpen && this.#circuit.isOpen)
        log('warn', `sink ${this.sink.id} fails: ${sentence}; it is left alone for a while and tried again`)
      const retryAfterMs = answer.kind === 'answered' ? answer.retryAfterMs : undefined
      if (retryAfterMs !== undefined) this.#pausedUntilMs = Math.max(this.#pausedUntilMs, atMs + retryAfterMs)
      this.#lastError = sentence
      await this.#later(batch, sentence, atMs)
    }
  }

  #tell(batch: readonly Telling[]): Promise<Outcome> {
    const { nowMs, post, signal, writeFiles } = this.#deps
    const [first, ...others] = batch
    if (this.sink.type === 'folder') return writeFiles(this.sink.path, first!.notice)
    const repeat =
      first!.kind === 'repeat'
        ? Math.max(1, Math.floor((nowMs() - first!.firing.deliveredAtMs) / this.#intervalMs()))
        : 0
    const notices = [first!.notice, ...others.map(({ notice }) => notice)] as const
    const request = requestFor(this.sink, notices, nowMs(), repeat)
    return post(request, { allowPrivate: this.sink.allowPrivate, nowMs, signal })
  }

  async #taken(batch: readonly Telling[], atMs: number): Promise<void> {
    const delivered: Delivery[] = []
    for (const telling of batch) {
      if (telling.kind === 'repeat') {
        telling.firing.tellAtMs = this.#nextTellMs(telling.firing.deliveredAtMs, atMs)
        telling.firing.failures = 0
        telling.firing.isAlone = false
        continue
      }
      const { delivery, notice } = telling
      Object.assign(delivery, { state: 'delivered', tries: delivery.tries + 1, lastError: '' })
      delivered.push(this.#ended(delivery, atMs))
      if (notice.status !== 'firing') this.#firing.delete(notice.key)
      else
        this.#firing.set(notice.key, {
          notice,
          deliveredAtMs: atMs,
          tellAtMs: this.#nextTellMs(atMs, atMs),
          failures: 0,
          isAlone: false,
        })
    }
    await this.#deps.record(delivered)
  }

  async #refused(batch: readonly Telling[], sentence: string, atMs: number): Promise<void> {
    if (batch.length > 1) {
      for (const telling of batch) {
        if (telling.kind === 'delivery') this.#alone.add(telling.delivery)
        else telling.firing.isAlone = true
      }
      return
    }
    const [telling] = batch
    if (telling!.kind === 'repeat') {
      this.#firing.delete(telling!.notice.key)
      this.#deps.log(
        'warn',
        `sink ${this.sink.id} ${sentence} to a repeat of ${named(telling!.notice)}: no more of it`,
      )
      return
    }
    await this.#die([telling!.delivery], sentence, atMs)
  }

  async #gone(sentence: string, atMs: number): Promise<void> {
    this.#isOff = true
    this.#lastError = sentence
    this.#deps.log(
      'error',
      `sink ${this.sink.id} ${sentence}: the receiver wants no more; it is off until the next start`,
    )
    this.#firing.clear()
    await this.#die([...this.#waiting.values()].flat(), sentence, atMs)
  }

  async #later(batch: readonly Telling[], sentence: string, atMs: number): Promise<void> {
    const changed: Delivery[] = []
    const spent: Delivery[] = []
    for (const telling of batch) {
      if (telling.kind === 'repeat') {
        telling.firing.failures++
        telling.firing.tellAtMs =
          atMs + Math.min(this.#intervalMs(), backoffMs(telling.firing.failures, this.#deps.random))
        continue
      }
      const { delivery } = telling
      delivery.tries++
      if (delivery.tries >= TRIES_MAX) {
        spent.push(delivery)
        continue
      }
      Object.assign(delivery, {
        state: 'retrying',
        lastError: sentence,
        nextTryAtMs: atMs + backoffMs(delivery.tries, this.#deps.random),
        version: delivery.version + 1,
        updatedAtMs: atMs,
      })
      changed.push(delivery)
    }
    await this.#deps.record(changed)
    await this.#die(spent, `${sentence}, ${TRIES_MAX} times`, atMs, false)
  }

  async #die(
    deliveries: readonly Delivery[],
    sentence: string,
    atMs: number,
    countsTry = true,
  ): Promise<void> {
    for (const delivery of deliveries) {
      Object.assign(delivery, {
        state: 'dead',
        lastError: sentence,
        tries: delivery.tries + (countsTry ? 1 : 0),
      })
      this.#ended(delivery, atMs)
      if (delivery.notice.status === 'resolved') this.#firing.delete(delivery.notice.key)
      this.#deps.log(
        'error',
        `${named(delivery.notice)} was not delivered to sink ${this.sink.id}: ${sentence}; see /v1/alerts/deliveries`,
      )
    }
    this.#dead += deliveries.length
    await this.#deps.record(deliveries)
  }

  /** Given up without a try: it is off. */
  noteDead(): void {
    this.#dead++
  }

  /** Takes it out of what waits. */
  #ended(delivery: Delivery, atMs: number): Delivery {
    const { key } = delivery.notice
    const rest = (this.#waiting.get(key) ?? []).filter((other) => other !== delivery)
    if (rest.length === 0) this.#waiting.delete(key)
    else this.#waiting.set(key, rest)
    return Object.assign(delivery, { version: delivery.version + 1, updatedAtMs: atMs })
  }

  #intervalMs(): number {
    if (this.sink.type === 'alertmanager') return this.sink.resendIntervalS * 1_000
    // Nothing fires in a folder.
    return this.sink.type === 'folder' ? Number.POSITIVE_INFINITY : this.sink.repeatIntervalHours * 3_600_000
  }

  /** On a grid that begins at the delivery, so that a repeat has the same number whoever sends it. */
  #nextTellMs(deliveredAtMs: number, nowMs: number): number {
    const intervalMs = this.#intervalMs()
    if (this.sink.type === 'alertmanager') return nowMs + intervalMs
    return deliveredAtMs + (Math.floor(Math.max(0, nowMs - deliveredAtMs) / intervalMs) + 1) * intervalMs
  }
}

function named({ key, rule, status, transition }: Notice): string {
  return `${rule} ${status} (${key}.${transition})`
}
