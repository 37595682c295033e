/**
 * Checks signatures on a thread of its own, so that neither the store's main thread nor any packet waits for them.
 *
 * Takes    a key, the text that was signed, the signature; as many at once as anybody likes.
 * Returns  'valid', 'invalid', or 'failed' when the check itself broke down: the thread died twice on this job, or no thread
 *          can be started.
 * Throws   TRUNKSCOPE_EVIDENCE_CLOSED, as a rejected promise, for what is asked after `close`.
 *
 * Bounded  At most `queueMax` jobs are held; who asks for more waits until there is room (back-pressure). Answers are kept
 *          by key, text and signature, `cacheMax` of them, the one least recently asked for is forgotten first. The same
 *          question, while it is under way, is asked once.
 * A death  of the thread costs nothing that was asked: its jobs are asked again, each by itself, so that the one that kills
 *          it is found. `close` lets what was asked end first.
 */
import { hash } from 'node:crypto'
import { Worker } from 'node:worker_threads'

export type SignatureResult = 'valid' | 'invalid' | 'failed'

export interface SignatureJob {
  /** SubjectPublicKeyInfo of P-256, DER as base64. */
  key: string
  signed: string
  signature: Buffer
}

export type VerifySignature = (job: SignatureJob) => Promise<SignatureResult>

export interface VerifierOptions {
  threads?: number
  queueMax?: number
  cacheMax?: number
  /** For tests, which have no compiled thread. */
  start?: () => Worker
}

const BATCH_MAX = 64
/** The next batch lies ready while the thread works on one. */
const BATCHES_ON_THE_WAY_MAX = 2
const TRIES_MAX = 2
/** Deaths without one answer between them, before jobs fail instead of waiting for another thread. */
const DEATHS_MAX = 5
const RESULTS: readonly SignatureResult[] = ['invalid', 'valid', 'failed']

interface Asked extends SignatureJob {
  name: string
  tries: number
  answer: (result: SignatureResult) => void
}

interface Thread {
  worker: Worker
  underWay: Map<number, Asked[]>
  /** It works on one job that may kill it. */
  hasSuspect: boolean
}

export class SignatureVerifier {
  readonly #start: () => Worker
  readonly #threadsMax: number
  readonly #queueMax: number
  readonly #cacheMax: number
  readonly #cache = new Map<string, SignatureResult>()
  readonly #asked = new Map<string, Promise<SignatureResult>>()
  readonly #queue: Asked[] = []
  readonly #suspects: Asked[] = []
  readonly #waiting: (() => void)[] = []
  #threads: Thread[] = []
  #held = 0
  #batches = 0
  #deaths = 0
  #isScheduled = false
  #isClosed = false

  constructor({ threads = 1, queueMax = 4_096, cacheMax = 65_536, start }: VerifierOptions = {}) {
    this.#threadsMax = threads
    this.#queueMax = queueMax
    this.#cacheMax = cacheMax
    this.#start = start ?? startThread
  }

  /** Jobs that were taken and have no answer yet. */
  get held(): number {
    return this.#held
  }

  get cached(): number {
    return this.#cache.size
  }

  readonly verify: VerifySignature = async (job) => {
    const name = hash('sha256', `${job.key}\n${job.signed}\n${job.signature.toString('base64')}`, 'base64')
    for (;;) {
      if (this.#isClosed) throw closed()
      const known = this.#known(name)
      if (known !== undefined) {
        // Whoever was woken and needs no room passes it on.
        this.#wakeOne()
        return known
      }
      if (this.#held < this.#queueMax) return this.#take(name, job)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #known(name: string): SignatureResult | Promise<SignatureResult> | undefined {
    const known = this.#cache.get(name)
    if (known === undefined) return this.#asked.get(name)
    this.#cache.delete(name)
    this.#cache.set(name, known)
    return known
  }

  #wakeOne(): void {
    if (this.#held < this.#queueMax) this.#waiting.shift()?.()
  }

  #take(name: string, job: SignatureJob): Promise<SignatureResult> {
    this.#held++
    const promise = new Promise<SignatureResult>((answer) =>
      this.#queue.push({ ...job, name, tries: 0, answer }),
    )
    this.#asked.set(name, promise)
    this.#schedule()
    return promise
  }

  /** What is asked in one turn of the event loop goes out together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#send()
    })
  }

  #send(): void {
    while (this.#queue.length > 0 || this.#suspects.length > 0) {
      const thread = this.#freeThread()
      if (thread === undefined) return
      const isSuspect = this.#suspects.length > 0
      const jobs = isSuspect ? this.#suspects.splice(0, 1) : this.#queue.splice(0, BATCH_MAX)
      const batch = ++this.#batches
      thread.underWay.set(batch, jobs)
      thread.hasSuspect = isSuspect
      thread.worker.ref()
      thread.worker.postMessage({
        batch,
        // A copy: of a Buffer its whole pool would travel.
        jobs: jobs.map(({ key, signed, signature }) => ({
          key,
          signed,
          signature: new Uint8Array(signature),
        })),
      })
    }
  }

  /** A suspect goes to a thread that does nothing else, so that nobody else dies with it. */
  #freeThread(): Thread | undefined {
    const onTheWayMax = this.#suspects.length > 0 ? 1 : BATCHES_ON_THE_WAY_MAX
    const free = this.#threads.find((thread) => !thread.hasSuspect && thread.underWay.size < onTheWayMax)
    if (free !== undefined) return free
    return this.#threads.length < this.#threadsMax ? this.#newThread() : undefined
  }

  #newThread(): Thread {
    const thread: Thread = { worker: this.#start(), underWay: new Map(), hasSuspect: false }
    thread.worker.on('message', ({ batch, results }: { batch: number; results: Uint8Array }) => {
      const jobs = thread.underWay.get(batch)
      thread.underWay.delete(batch)
      thread.hasSuspect = false
      this.#deaths = 0
      for (const [index, job] of (jobs ?? []).entries())
        this.#answer(job, RESULTS[results[index]!] ?? 'failed')
      // An idle thread does not keep the process alive.
      if (thread.underWay.size === 0) thread.worker.unref()
      this.#send()
    })
    // 'exit' follows, and does what is to be done.
    thread.worker.on('error', () => {})
    thread.worker.on('exit', () => this.#buried(thread))
    this.#threads.push(thread)
    return thread
  }

  #buried(thread: Thread): void {
    this.#threads = this.#threads.filter((other) => other !== thread)
    const jobs = [...thread.underWay.values()].flat()
    if (jobs.length > 0) this.#deaths++
    for (const job of jobs) {
      job.tries++
      if (job.tries >= TRIES_MAX && jobs.length === 1) this.#answer(job, 'failed')
      else this.#suspects.push(job)
    }
    if (this.#deaths > DEATHS_MAX) {
      const all = [...this.#suspects.splice(0), ...this.#queue.splice(0)]
      this.#deaths = 0
      for (const job of all) this.#answer(job, 'failed')
    }
    this.#schedule()
  }

  #answer(job: Asked, result: SignatureResult): void {
    this.#held--
    this.#asked.delete(job.name)
    // What broke down is asked again the next time.
    if (result !== 'failed') {
      this.#cache.set(job.name, result)
      if (this.#cache.size > this.#cacheMax) this.#cache.delete(this.#cache.keys().next().value!)
    }
    job.answer(result)
    this.#wakeOne()
  }

  /** What was asked is answered, then the threads end. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const wake of this.#waiting.splice(0)) wake()
    await Promise.all([...this.#asked.values()])
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()))
  }
}

function startThread(): Worker {
  return new Worker(new URL('./signature-thread.js', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  })
}

function closed(): Error {
  return Object.assign(new Error('signatures are no longer checked: the process is ending'), {
    code: 'TRUNKSCOPE_EVIDENCE_CLOSED',
  })
}
