/**
 * The durable outbox of alerts, and of scorecards that were made: what is to be told is stored before anything is sent, and
 * sent until the sink has it.
 *
 *   const outbox = await Outbox.open({ client, sinks, log })
 *   outbox.start()
 *   await outbox.put(notices)   // stored when this resolves; the sinks are told in their own time
 *   await outbox.close()
 *
 * At least once: a process killed at any point finds at its next start what was not delivered, and sends it under the same
 * id. Of one alert a sink hears in order. A slow or hung sink holds up neither `put` nor another sink.
 *
 * Two processes over the same tables know of each other by the rows: each looks at them before it sends, and takes over
 * what the other left. They may both send the same: same ids, so the receivers fold the doubles.
 *
 * Throws   what the store throws: `put` then stored nothing or all, and may be called again with the same notices.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Notice } from '../../schemas/alert-hook.js'
import { type QueueDeps, SinkQueue, type SinkStatus, WRONG_KIND } from './outbox-queue.js'
import {
  type Delivery,
  type DeliveryName,
  readFiring,
  readLatest,
  readOne,
  readWaiting,
  writeDeliveries,
} from './outbox-rows.js'
import { type FileWriter, fileWriter } from './sinks/folder.js'
import { type Post, post } from './sinks/post.js'
import { type Sink, takes } from './sinks/sink.js'

export interface OutboxOptions {
  /** May write `alert_deliveries`. */
  client: ClickHouseClient
  sinks: readonly Sink[]
  log: QueueDeps['log']
  nowMs?: () => number
  random?: () => number
  post?: Post
  writeFiles?: FileWriter
  /** How long `close` waits for requests that run. */
  closeWaitMs?: number
}

export type RetryResult =
  | 'retried'
  | 'no_such_delivery'
  | 'not_dead'
  | 'overtaken'
  | 'no_such_sink'
  | 'sink_off'

/** Also without an event, so that a clock that jumped is noticed. */
const LOOK_LONGEST_MS = 60_000
const LOOK_SHORTEST_MS = 5
/** Who stored a delivery is given so long after its time before another process sends it. */
const LEFT_BEHIND_MS = 120_000
const NO_SUCH_SINK = 'no sink of the configuration has this id'

export class Outbox {
  readonly #client: ClickHouseClient
  readonly #log: QueueDeps['log']
  readonly #nowMs: () => number
  readonly #queueDeps: QueueDeps
  readonly #queues = new Map<string, SinkQueue>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #abort = new AbortController()
  readonly #closeWaitMs: number
  /** Rows that the store would not take: what they say is true, and they are written before the next ones. */
  readonly #unrecorded = new Map<string, Delivery>()
  #turn: Promise<unknown> = Promise.resolve()
  #isRunning = false
  #takingOver: NodeJS.Timeout | undefined

  private constructor(options: OutboxOptions) {
    this.#client = options.client
    this.#log = options.log
    this.#nowMs = options.nowMs ?? Date.now
    this.#closeWaitMs = options.closeWaitMs ?? 3_000
    this.#queueDeps = {
      post: options.post ?? post,
      writeFiles: options.writeFiles ?? fileWriter(options.client),
      look: (sink, keys) => this.#look(sink, keys),
      record: (deliveries) => this.#record(deliveries),
      log: options.log,
      nowMs: this.#nowMs,
      random: options.random ?? Math.random,
      signal: this.#abort.signal,
    }
    for (const sink of options.sinks) this.#queues.set(sink.id, new SinkQueue(sink, this.#queueDeps))
  }

  /** Reads what is still to be told. Sends nothing before `start`. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options)
    for (const { notice, sink, updatedAtMs } of await readFiring(options.client))
      outbox.#queues.get(sink)?.addFiring(notice, updatedAtMs)
    const homeless: Delivery[] = []
    for (const delivery of await readWaiting(options.client)) {
      const queue = outbox.#queues.get(delivery.sink)
      if (queue === undefined) homeless.push(delivery)
      else queue.add({ ...delivery, nextTryAtMs: 0 })
    }
    await outbox.#bury(homeless, NO_SUCH_SINK)
    return outbox
  }

  /**
   * Stores the deliveries of these notices; resolves when they are on disk. Idempotent by key, transition and sink: call it
   * before the new state of the alert is stored, and again whenever it is not sure that it was called.
   */
  put(notices: readonly Notice[]): Promise<void> {
    return this.#inTurn(() => this.#put(notices))
  }

  async #put(notices: readonly Notice[]): Promise<void> {
    if (notices.length === 0) return
    const latest = await this.#latest(notices)
    const known = new Map(latest.map((delivery) => [nameOf(delivery.notice, delivery.sink), delivery]))
    const wanted = notices.flatMap((notice) =>
      [...new Set([...notice.sinks, ...this.#toldOtherwise(notice, latest)])].map((sink) => ({
        notice,
        sink,
      })),
    )
    // What another process stored and has not told stands before it.
    for (const delivery of latest) if (isWaiting(delivery)) this.#queues.get(delivery.sink)?.add(delivery)
    const nowMs = this.#nowMs()
    const fresh = new Map<string, Delivery>()
    for (const { notice, sink } of wanted) {
      const name = nameOf(notice, sink)
      const queue = this.#queues.get(sink)
      if (known.has(name)) continue
      const whyNot = whyNobody(queue, notice)
      fresh.set(name, {
        notice,
        sink,
        version: 1,
        state: whyNot === '' ? 'pending' : 'dead',
        tries: 0,
        nextTryAtMs: nowMs,
        lastError: whyNot,
        storedAtMs: nowMs,
        updatedAtMs: nowMs,
      })
    }
    const deliveries = [...fresh.values()]
    await writeDeliveries(this.#client, deliveries)
    for (const delivery of deliveries) {
      if (delivery.state === 'pending') {
        this.#queues.get(delivery.sink)?.add(delivery)
        continue
      }
      this.#queues.get(delivery.sink)?.noteDead()
      this.#log(
        'error',
        `${delivery.notice.rule} ${delivery.notice.status} (${delivery.notice.key}.${delivery.notice.transition}) ` +
          `goes to nobody at sink ${delivery.sink}: ${delivery.lastError}; see /v1/alerts/deliveries`,
      )
    }
    for (const id of this.#queues.keys()) this.#wake(id)
  }

  async #latest(notices: readonly Notice[]): Promise<Delivery[]> {
    const rows = await readLatest(this.#client, [...new Set(notices.map(({ key }) => key))])
    // What the store has not heard of yet.
    return rows.map((row) => this.#unrecorded.get(nameOf(row.notice, row.sink)) ?? row)
  }

  /** Sinks that hear of the end although the rule tells others by now: they heard that it fires. */
  #toldOtherwise({ key, status, transition }: Notice, latest: readonly Delivery[]): string[] {
    if (status !== 'resolved') return []
    return [...this.#queues.keys()].filter((sink) => {
      // The latest transition stands first.
      const before = latest.find(
        (row) => row.sink === sink && row.notice.key === key && row.notice.transition < transition,
      )
      return before !== undefined && before.notice.status === 'firing' && before.state !== 'dead'
    })
  }

  async #look(sink: string, keys: readonly string[]): Promise<Delivery[] | undefined> {
    try {
      return (await readLatest(this.#client, keys)).filter((row) => row.sink === sink)
    } catch {
      return undefined
    }
  }

  /** What another process told, and what it stored and left behind. */
  async takeOver(): Promise<void> {
    for (const { notice, sink, updatedAtMs } of await readFiring(this.#client))
      this.#queues.get(sink)?.addFiring(notice, updatedAtMs)
    const leftBehindMs = this.#nowMs() - LEFT_BEHIND_MS
    for (const delivery of await readWaiting(this.#client)) {
      const isNews = !this.#unrecorded.has(nameOf(delivery.notice, delivery.sink))
      if (isNews && delivery.nextTryAtMs < leftBehindMs) this.#queues.get(delivery.sink)?.add(delivery)
    }
    for (const id of this.#queues.keys()) this.#wake(id)
  }

  /** Begins to send, and goes on by itself. */
  start(): void {
    this.#isRunning = true
    this.#takingOver = setInterval(
      () => void this.#inTurn(() => this.takeOver()).catch(() => {}),
      LOOK_LONGEST_MS,
    ).unref()
    for (const id of this.#queues.keys()) this.#wake(id)
  }

  /** Sends everything that is due now, to all sinks side by side; for tests, and for a caller with a clock of its own. */
  async deliverDue(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.pass()))
  }

  /** When the earliest of what waits is due; Infinity: nothing waits. */
  nextAtMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#queues.values()].map((queue) => queue.nextAtMs()))
  }

  get sinks(): SinkStatus[] {
    return [...this.#queues.values()].map(({ status }) => status)
  }

  /** A dead letter by hand: it waits again, with all its tries before it. */
  retry(name: DeliveryName): Promise<RetryResult> {
    return this.#inTurn(async () => {
      const delivery = await readOne(this.#client, name)
      if (delivery === undefined) return 'no_such_delivery'
      if (delivery.state !== 'dead') return 'not_dead'
      // The sink knows better by now: "fires" must not come after "resolved".
      const latest = await readLatest(this.#client, [name.key])
      if (
        latest.some(
          ({ notice, sink, state }) =>
            sink === name.sink && notice.transition > name.transition && state === 'delivered',
        )
      )
        return 'overtaken'
      const queue = this.#queues.get(name.sink)
      if (queue === undefined) return 'no_such_sink'
      if (queue.isOff) return 'sink_off'
      const nowMs = this.#nowMs()
      const again: Delivery = {
        ...delivery,
        version: delivery.version + 1,
        state: 'pending',
        tries: 0,
        nextTryAtMs: nowMs,
        updatedAtMs: nowMs,
      }
      await writeDeliveries(this.#client, [again])
      queue.add(again)
      this.#wake(name.sink)
      return 'retried'
    })
  }

  /** New secrets and addresses are used from the next request on. What waits for a sink that is gone is a dead letter. */
  reconfigure(sinks: readonly Sink[]): Promise<void> {
    return this.#inTurn(async () => {
      const kept = new Set(sinks.map(({ id }) => id))
      const homeless: Delivery[] = []
      for (const [id, queue] of this.#queues) {
        if (kept.has(id)) continue
        this.#queues.delete(id)
        clearTimeout(this.#timers.get(id))
        await queue.close()
        homeless.push(...queue.takeAll())
      }
      for (const sink of sinks) {
        const queue = this.#queues.get(sink.id)
        if (queue === undefined) this.#queues.set(sink.id, new SinkQueue(sink, this.#queueDeps))
        else queue.sink = sink
        this.#wake(sink.id)
      }
      await this.#bury(homeless, NO_SUCH_SINK)
    })
  }

  /** Begins no more requests; those that run may end within a few seconds. What is not delivered waits on disk. */
  async close(): Promise<void> {
    this.#isRunning = false
    clearInterval(this.#takingOver)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    const over = setTimeout(() => this.#abort.abort(), this.#closeWaitMs)
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
    clearTimeout(over)
    await this.#turn
    await this.#record([])
  }

  #wake(id: string): void {
    if (!this.#isRunning) return
    clearTimeout(this.#timers.get(id))
    const queue = this.#queues.get(id)
    if (queue === undefined) return
    const passed = queue.pass().then(() => (this.#unrecorded.size === 0 ? undefined : this.#record([])))
    void passed.then(() => {
      if (!this.#isRunning || this.#queues.get(id) !== queue) return
      const waitMs = queue.nextAtMs() - this.#nowMs()
      clearTimeout(this.#timers.get(id))
      const timer = setTimeout(
        () => this.#wake(id),
        Math.max(LOOK_SHORTEST_MS, Math.min(LOOK_LONGEST_MS, waitMs)),
      )
      timer.unref()
      this.#timers.set(id, timer)
    })
  }

  async #record(deliveries: readonly Delivery[]): Promise<void> {
    // As they stand now: the queue goes on changing them.
    for (const delivery of deliveries)
      this.#unrecorded.set(nameOf(delivery.notice, delivery.sink), { ...delivery })
    const rows = [...this.#unrecorded]
    if (rows.length === 0) return
    try {
      await writeDeliveries(
        this.#client,
        rows.map(([, row]) => row),
      )
      // A later state of the same delivery may have come meanwhile.
      for (const [name, row] of rows) if (this.#unrecorded.get(name) === row) this.#unrecorded.delete(name)
    } catch (error) {
      const [sentence] = (error as Error).message.split('\n')
      this.#log('error', `how alerts were delivered cannot be stored, and is kept in memory: ${sentence}`)
    }
  }

  async #bury(deliveries: readonly Delivery[], sentence: string): Promise<void> {
    const nowMs = this.#nowMs()
    await this.#record(
      deliveries.map((delivery) => ({
        ...delivery,
        version: delivery.version + 1,
        state: 'dead' as const,
        lastError: sentence,
        updatedAtMs: nowMs,
      })),
    )
    for (const { notice, sink } of deliveries)
      this.#log('error', `${notice.rule} ${notice.status} was not delivered to sink ${sink}: ${sentence}`)
  }

  /** One after another: two that store the same at once would both find it missing. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}

const isWaiting = ({ state }: Delivery) => state === 'pending' || state === 'retrying'

/** Why a notice that is stored now will never be sent; '' : it will. */
function whyNobody(queue: SinkQueue | undefined, notice: Notice): string {
  if (queue === undefined) return NO_SUCH_SINK
  if (queue.isOff) return 'the sink is off: it answered 410'
  return takes(queue.sink, notice) ? '' : WRONG_KIND
}
const nameOf = (notice: Notice, sink: string) => `${notice.key}.${notice.transition}.${sink}`
