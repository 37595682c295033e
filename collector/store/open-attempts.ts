/**
 * The attempts in memory: messages are merged into their facts, and what changed waits for the next flush.
 *
 * Every entry may leave memory at any time once it is written: a later message finds it through the index, and its stored
 * facts are read back and merged, which in any order gives the same facts. Nothing here knows SQL or sockets.
 *
 * Invariant: an entry that is not `dirty` equals its stored row, or its review time has passed.
 */
import type { Attempt } from '../../schemas/attempt.js'
import type { AttemptFacts } from '../../schemas/attempt-facts.js'
import type { Kpi } from '../../schemas/kpi/kpi.js'
import { KPI_CATALOG } from '../../schemas/kpi-catalog.js'
import type { ObservedMessage } from '../../schemas/observed-message.js'
import type { StoredIndex } from './stored-index.js'

/** What the store needs of the fold; handed in by the role. */
export interface Fold {
  dialogTags(observed: ObservedMessage): readonly string[] | undefined
  attemptKey(observed: ObservedMessage, fromTag: string): AttemptFacts['key']
  noFacts(key: AttemptFacts['key']): AttemptFacts
  addMessage(facts: AttemptFacts, observed: ObservedMessage): void
  mergeFacts(target: AttemptFacts, source: AttemptFacts): void
  attemptIdOf(key: AttemptFacts['key']): string
  attemptOf(attemptId: string, facts: AttemptFacts, asOfUs: number): Attempt
  reviewAtUs(facts: AttemptFacts): number | undefined
  factsText(facts: AttemptFacts): string
  factsFromText(text: string): AttemptFacts
}

/** Where and as what the attempt's row was written last. */
export interface StoredPlace {
  version: number
  minuteS: number
  endMinuteS: number
}

export interface OpenAttempt {
  id: string
  key: AttemptFacts['key']
  /** While more is to be expected. Later `factsText` stands in: one string is little for the heap to carry. */
  facts: AttemptFacts | undefined
  factsText: string
  /** An INVITE without To-tag was seen: it is an attempt, no fragment. */
  hasInvite: boolean
  /** undefined: no row of it was written. */
  stored: StoredPlace | undefined
  /** Rows under other minutes that a crash left standing. */
  alsoStored: StoredPlace[]
  /** Hashes of what the start minute and the end minute count of it, as written last; 0 when not known. */
  startMeasures: number
  endMeasures: number
  /** A row may exist that has not been read: at this minute, or anywhere (0). undefined: none to read. */
  unreadMinuteS: number | undefined
  /** Something was merged since the row was written. */
  dirty: boolean
  /** When the passing of time alone changes it; undefined: never. */
  reviewAtUs: number | undefined
  /** as_of when it was last touched. */
  touchedAtUs: number
  /** Of the row written last. */
  state: Attempt['state'] | ''
  hasEnd: boolean
}

/** A closed attempt stays this long, for stragglers: retransmissions, the ACK, a second agent's view. */
const LINGER_US = 2_000_000
const INDEX_SLACK_US = 3_600_000_000

export class OpenAttempts {
  #fold: Fold
  readonly #index: StoredIndex
  readonly #entries = new Set<OpenAttempt>()
  readonly #byDialog = new Map<string, OpenAttempt[]>()
  #dirty: OpenAttempt[] = []

  constructor(fold: Fold, index: StoredIndex) {
    this.#fold = fold
    this.#index = index
  }

  /** From now on attempts are derived by other rules; those that are written stay as they are until they change. */
  useFold(fold: Fold): void {
    this.#fold = fold
  }

  get size(): number {
    return this.#entries.size
  }

  get dirtyCount(): number {
    return this.#dirty.length
  }

  /** Merges a message into the attempts it may belong to. */
  add(observed: ObservedMessage, asOfUs: number): void {
    const tags = this.#fold.dialogTags(observed)
    if (tags === undefined) return
    if (tags.length === 1) {
      this.#merge(observed, tags[0] as string, asOfUs)
      return
    }
    // The callee's BYE bears the tags the other way round: it goes to the attempt whose INVITE is known, or to both
    // candidates, one of which stays a fragment. Less than an INVITE proves nothing: a re-INVITE may be the callee's.
    let known = tags.filter((tag) => this.#find(observed, tag)?.hasInvite)
    if (known.length === 0) known = tags.filter((tag) => this.#isStoredAttempt(observed, tag))
    for (const tag of known.length > 0 ? known : tags) this.#merge(observed, tag, asOfUs)
  }

  #isStoredAttempt(observed: ObservedMessage, fromTag: string): boolean {
    const place = this.#index.get(this.#fold.attemptIdOf(this.#fold.attemptKey(observed, fromTag)))
    return place !== undefined && !place.lacksInvite
  }

  #find(observed: ObservedMessage, fromTag: string): OpenAttempt | undefined {
    const { sourceAddress: a, destinationAddress: b } = observed
    return this.#byDialog
      .get(dialogName(observed.message.callId, fromTag))
      ?.find(({ key }) =>
        key.addressLow === a ? key.addressHigh === b : key.addressLow === b && key.addressHigh === a,
      )
  }

  #merge(observed: ObservedMessage, fromTag: string, asOfUs: number): void {
    const entry = this.#find(observed, fromTag) ?? this.#newEntry(observed, fromTag)
    this.#fold.addMessage(this.factsOf(entry), observed)
    if (isInitialInvite(observed)) entry.hasInvite = true
    entry.touchedAtUs = asOfUs
    this.#markDirty(entry)
  }

  #newEntry(observed: ObservedMessage, fromTag: string): OpenAttempt {
    const key = this.#fold.attemptKey(observed, fromTag)
    const id = this.#fold.attemptIdOf(key)
    const entry: OpenAttempt = {
      id,
      key,
      facts: this.#fold.noFacts(key),
      factsText: '',
      hasInvite: false,
      stored: undefined,
      alsoStored: [],
      startMeasures: 0,
      endMeasures: 0,
      unreadMinuteS: this.#unreadMinute(id, observed),
      dirty: false,
      reviewAtUs: undefined,
      touchedAtUs: 0,
      state: '',
      hasEnd: false,
    }
    this.#keep(entry)
    return entry
  }

  #keep(entry: OpenAttempt): void {
    this.#entries.add(entry)
    const name = dialogName(entry.key.callId, entry.key.fromTag)
    const legs = this.#byDialog.get(name)
    if (legs === undefined) this.#byDialog.set(name, [entry])
    else legs.push(entry)
  }

  #letGo(entry: OpenAttempt): void {
    this.#entries.delete(entry)
    const name = dialogName(entry.key.callId, entry.key.fromTag)
    const legs = this.#byDialog.get(name)?.filter((other) => other !== entry) ?? []
    if (legs.length === 0) this.#byDialog.delete(name)
    else this.#byDialog.set(name, legs)
  }

  /**
   * Whether a row may have to be read back. What began after the index's horizon is stored exactly if the index says so;
   * before it, and for a message of a dialog that may have begun before it, the store must be asked.
   */
  #unreadMinute(id: string, observed: ObservedMessage): number | undefined {
    const place = this.#index.get(id)
    if (place !== undefined) return place.minuteS
    if (this.#index.horizonS === 0) return undefined
    const mayBeOld = observed.capturedAtUs - INDEX_SLACK_US < this.#index.horizonS * 1_000_000
    return mayBeOld || !isInitialInvite(observed) ? 0 : undefined
  }

  /** The facts of an entry, to be merged into. */
  factsOf(entry: OpenAttempt): AttemptFacts {
    entry.facts ??= this.#fold.factsFromText(entry.factsText)
    return entry.facts
  }

  #markDirty(entry: OpenAttempt): void {
    if (entry.dirty) return
    entry.dirty = true
    this.#dirty.push(entry)
  }

  /** An attempt that was found under several minutes: it is written again, under the right one. */
  restoreTwice(
    id: string,
    facts: AttemptFacts,
    stored: StoredPlace,
    others: readonly StoredPlace[],
    asOfUs: number,
  ): void {
    const entry =
      [...this.#entries].find((present) => present.id === id) ?? this.restore(id, facts, stored, asOfUs)
    entry.facts = facts
    entry.stored = stored
    entry.alsoStored = [...others]
    this.#markDirty(entry)
  }

  /** An open attempt read back at the start. */
  restore(id: string, facts: AttemptFacts, stored: StoredPlace, asOfUs: number): OpenAttempt {
    const entry: OpenAttempt = {
      id,
      key: facts.key,
      facts,
      factsText: '',
      hasInvite: facts.tries.some((attempt) => attempt.invite !== undefined),
      stored,
      alsoStored: [],
      startMeasures: 0,
      endMeasures: 0,
      unreadMinuteS: undefined,
      dirty: false,
      reviewAtUs: this.#fold.reviewAtUs(facts),
      touchedAtUs: asOfUs,
      state: 'open',
      hasEnd: false,
    }
    this.#keep(entry)
    return entry
  }

  /** Everything that changed or whose time has come; they are no longer dirty. */
  takeDirty(asOfUs: number): OpenAttempt[] {
    for (const entry of this.#entries) {
      if (!entry.dirty && entry.reviewAtUs !== undefined && entry.reviewAtUs <= asOfUs) this.#markDirty(entry)
    }
    const taken = this.#dirty
    this.#dirty = []
    for (const entry of taken) entry.dirty = false
    return taken
  }

  /** Tells that the row of these facts is encoded: the entry keeps their text, and when to look at it again. */
  encoded(entry: OpenAttempt, attempt: Attempt, factsText: string): void {
    entry.reviewAtUs = attempt.state === 'open' ? this.#fold.reviewAtUs(this.factsOf(entry)) : undefined
    // An attempt that rings hears more in a moment: its facts stay as they are.
    if (attempt.state === 'open') return
    entry.factsText = factsText
    entry.facts = undefined
  }

  /** Tells that the entry's row was written. */
  written(entry: OpenAttempt, attempt: WrittenAttempt, version: number, measures: Measures): void {
    entry.stored = { version, minuteS: attempt.minuteS, endMinuteS: attempt.endMinuteS }
    entry.alsoStored = []
    entry.startMeasures = measures.start
    entry.endMeasures = measures.end
    entry.state = attempt.state
    entry.hasEnd = attempt.endMinuteS > 0 || attempt.answeredAtUs === 0
    this.#index.set(entry.id, attempt.minuteS, !attempt.invited)
  }

  /**
   * The minutes whose rollups the new row makes stale: where it stood and where it stands now. A BYE changes nothing that
   * the minute of its INVITE counts, so that minute is left alone.
   */
  staleMinutes(entry: OpenAttempt, attempt: Attempt, measures: Measures): number[] {
    const stale: number[] = []
    if (entry.stored === undefined && attempt.state === 'fragment') return stale
    if (entry.startMeasures !== measures.start) stale.push(attempt.minuteS, entry.stored?.minuteS ?? 0)
    // Read back, its measures are not known: an end that it had may be gone.
    const endIsGone = measures.end === 0 && (entry.stored?.endMinuteS ?? 0) > 0
    if (entry.endMeasures !== measures.end || endIsGone)
      stale.push(attempt.endMinuteS, entry.stored?.endMinuteS ?? 0)
    for (const place of entry.alsoStored) stale.push(place.minuteS, place.endMinuteS)
    return stale.filter((minuteS) => minuteS > 0)
  }

  /** Lets go of what is finished, and of the longest untouched when there are too many. */
  evict(asOfUs: number, entriesMax: number): void {
    for (const entry of this.#entries) {
      if (entry.dirty || entry.stored === undefined || entry.state === 'open') continue
      if (entry.state === 'closed' && !entry.hasEnd) continue
      if (entry.touchedAtUs + LINGER_US <= asOfUs) this.#letGo(entry)
    }
    // Calls that are up are the oldest entries of the map: they are read back when their BYE comes.
    for (const entry of this.#entries) {
      if (this.#entries.size <= entriesMax) break
      if (!entry.dirty && entry.stored !== undefined && entry.state !== 'open') this.#letGo(entry)
    }
  }
}

/** What is remembered of an attempt until its row is written: the record itself is large, and a flush has thousands. */
export type WrittenAttempt = Pick<Attempt, 'minuteS' | 'endMinuteS' | 'state' | 'answeredAtUs' | 'invited'>

/** What rollups count of an attempt, hashed: equal hashes, nothing to recompute. */
export interface Measures {
  start: number
  end: number
}

export const measuresOf = (attempt: Attempt): Measures => ({
  start: startMeasures(attempt),
  end: endMeasures(attempt),
})

/** What the wire can choose freely; the legs of one dialog are few, because addresses come from agents. */
const dialogName = (callId: string, fromTag: string) => `${fromTag}\n${callId}`

function isInitialInvite({ message }: ObservedMessage): boolean {
  return message.method === 'INVITE' && message.toTag === ''
}

const groupOf = (attempt: Attempt) =>
  `${attempt.party}|${attempt.carrier}|${attempt.site}|${attempt.direction}`

/**
 * Everything that the minute of its INVITE counts of an attempt, as one hash to compare: what rollups keep, and every rule.
 * 53 bits: that a change goes unseen is less likely than a flipped bit on the disk.
 */
function startMeasures(attempt: Attempt): number {
  return textHash(
    `${attempt.minuteS}|${groupOf(attempt)}|${attempt.state}|${attempt.finalCode}|${attempt.disposition}|` +
      `${attempt.cancelClass}|${attempt.attestation}|${attempt.invited}|${attempt.pddMs}|${answers(attempt, START_KPIS)}`,
  )
}

/** The same for the minute of its end; 0 while it has none. */
function endMeasures(attempt: Attempt): number {
  if (attempt.endMinuteS === 0) return 0
  return textHash(`${attempt.endMinuteS}|${groupOf(attempt)}|${answers(attempt, END_KPIS)}`)
}

const START_KPIS = KPI_CATALOG.filter((kpi) => kpi.minute === 'start')
const END_KPIS = KPI_CATALOG.filter((kpi) => kpi.minute === 'end')

function answers(attempt: Attempt, kpis: readonly Kpi[]): string {
  let text = ''
  for (const kpi of kpis) text += `${kpi.rule(attempt)},`
  return text
}

/** 53 bits of two multiplicative hashes; never 0. */
function textHash(text: string): number {
  let a = 0x811c9dc5
  let b = 0xdeadbeef
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x5bd1e995)
  }
  return (a >>> 0) * 0x20_0000 + ((b >>> 11) | 1)
}
