import { describe, expect, test } from 'vitest'
import { foldOf } from '../../../collector/fold-wiring.js'
import { measuresOf, type OpenAttempt, OpenAttempts } from '../../../collector/store/open-attempts.js'
import { StoredIndex } from '../../../collector/store/stored-index.js'
import type { Attempt } from '../../../schemas/attempt.js'
import { configSchema } from '../../../schemas/config.js'
import { FAR, type MessageFields, observed, SBC, START_US } from '../../support/messages.js'

const FOLD = foldOf(
  configSchema.parse({ sites: [{ id: 'fra', sbc: [SBC] }], carriers: [{ id: 'acme', peers: [FAR] }] }),
)
const MINUTE_S = START_US / 1_000_000
const BYE = { cseqMethod: 'BYE' }
const CALLEES_BYE = { cseqMethod: 'BYE', fromFar: true, fromTag: 'to-1', toTag: 'from-1' }
const RINGING: MessageFields[] = [{}, { at: 1, code: 180 }]
const ANSWERED: MessageFields[] = [...RINGING, { at: 2, code: 200 }]

/** The attempts of a store that writes at once: `flush` gives what it wrote, and which minutes became stale. */
class Memory {
  readonly index = new StoredIndex()
  readonly attempts: OpenAttempts
  readonly rows = new Map<string, { factsText: string; attempt: Attempt; version: number }>()
  asOfUs = START_US

  constructor(readonly entriesMax = 100_000) {
    this.attempts = new OpenAttempts(FOLD, this.index)
  }

  add(...messages: MessageFields[]): this {
    for (const message of messages.map(observed)) {
      this.asOfUs = Math.max(this.asOfUs, message.capturedAtUs)
      this.attempts.add(message, this.asOfUs)
    }
    return this
  }

  flush(atS = 0): { attempts: Attempt[]; staleS: number[] } {
    this.asOfUs = Math.max(this.asOfUs, START_US + atS * 1_000_000)
    const staleS = new Set<number>()
    const dirty = this.attempts.takeDirty(this.asOfUs)
    const attempts = dirty.map((entry) => {
      this.#readBack(entry)
      const facts = this.attempts.factsOf(entry)
      const attempt = FOLD.attemptOf(entry.id, facts, this.asOfUs)
      const factsText = FOLD.factsText(facts)
      const measures = measuresOf(attempt)
      for (const minuteS of this.attempts.staleMinutes(entry, attempt, measures)) staleS.add(minuteS)
      this.attempts.encoded(entry, attempt, factsText)
      const version = (entry.stored?.version ?? 0) + 1
      this.rows.set(entry.id, { factsText, attempt, version })
      this.attempts.written(entry, attempt, version, measures)
      return attempt
    })
    return { attempts, staleS: [...staleS].map((s) => s - MINUTE_S).sort((a, b) => a - b) }
  }

  #readBack(entry: OpenAttempt): void {
    if (entry.unreadMinuteS === undefined) return
    entry.unreadMinuteS = undefined
    const row = this.rows.get(entry.id)
    if (row === undefined) return
    FOLD.mergeFacts(this.attempts.factsOf(entry), FOLD.factsFromText(row.factsText))
    entry.stored = { version: row.version, minuteS: row.attempt.minuteS, endMinuteS: row.attempt.endMinuteS }
  }

  /** Long after the last message: everything that may leave memory leaves. */
  evictAll(): this {
    this.asOfUs += 3_600_000_000
    this.attempts.evict(this.asOfUs, this.entriesMax)
    return this
  }
}

const memory = (...messages: MessageFields[]) => new Memory().add(...messages)
const states = (attempts: Attempt[]) => attempts.map((attempt) => attempt.state).sort()

describe('open attempts', () => {
  test('what changed is taken once', () => {
    const open = memory(...RINGING)
    expect(open.flush().attempts).toHaveLength(1)
    expect(open.flush().attempts).toHaveLength(0)
    expect(open.add({ at: 2, code: 200 }).flush().attempts).toMatchObject([{ disposition: 'ANSWERED' }])
  })

  test('an attempt whose time has come is taken without a message', () => {
    const open = memory({})
    expect(states(open.flush(1).attempts)).toEqual(['open'])
    expect(open.flush(31.9).attempts).toEqual([])
    expect(open.flush(32).attempts).toMatchObject([{ state: 'closed', disposition: 'TIMEOUT' }])
    expect(open.flush(9_999).attempts).toEqual([])
  })

  test('messages that belong to no attempt are not taken in', () => {
    const open = memory({ cseqMethod: 'OPTIONS' }, { cseqMethod: 'CANCEL', code: 200 })
    expect([open.attempts.size, open.flush().attempts.length]).toEqual([0, 0])
  })

  describe('a BYE of the callee', () => {
    test('goes to the attempt whose INVITE is known, and leaves no fragment', () => {
      const open = memory(...ANSWERED, { at: 9, ...CALLEES_BYE })
      expect(open.flush().attempts).toMatchObject([{ byeFrom: 'callee', durationMs: 7_000 }])
      expect(open.attempts.size).toBe(1)
    })

    test('that comes first goes to both candidates, one of which stays a fragment', () => {
      const open = memory({ at: 9, ...CALLEES_BYE })
      expect(states(open.flush().attempts)).toEqual(['fragment', 'fragment'])
      expect(states(open.add(...ANSWERED).flush().attempts)).toEqual(['closed'])
      expect(
        [...open.rows.values()].map(({ attempt }) => attempt.durationMs).filter((ms) => ms !== null),
      ).toEqual([7_000])
    })

    test('finds an attempt that has left memory', () => {
      const small = new Memory(0)
      small.add(...ANSWERED).flush()
      small.attempts.evict(small.asOfUs, small.entriesMax)
      expect(small.attempts.size).toBe(0)
      expect(small.add({ at: 9, ...CALLEES_BYE }).flush().attempts).toMatchObject([
        { byeFrom: 'callee', durationMs: 7_000 },
      ])
    })

    test('is not caught by what looks like an attempt of the callee: his re-INVITE’s answer, stored before', () => {
      const answer: MessageFields = {
        at: 5,
        code: 200,
        fromTag: 'to-1',
        toTag: 'from-1',
        branch: 're',
        fromFar: false,
      }
      const open = memory(answer)
      expect(states(open.flush().attempts)).toEqual(['open'])
      open.add({ at: 9, ...CALLEES_BYE }).flush()
      open.add(...ANSWERED, { at: 4, toTag: 'from-1', fromTag: 'to-1', branch: 're', fromFar: true })
      expect(
        open
          .flush()
          .attempts.map((attempt) => attempt.durationMs)
          .filter((ms) => ms !== null),
      ).toEqual([7_000])
    })

    test('nor by a fragment that was stored and left memory', () => {
      const open = memory({ at: 9.1, ...BYE, code: 200, fromTag: 'to-1', toTag: 'from-1', fromFar: false })
      open.add({ at: 2, code: 200 }).flush()
      open.evictAll().flush()
      open.add({ at: 9, ...CALLEES_BYE }).flush()
      const kept = [...open.rows.values()].find(({ attempt }) => attempt.fromTag === 'from-1')
      expect(kept?.attempt.state).toBe('incomplete')
      expect(FOLD.factsFromText(kept?.factsText ?? '').byes).toMatchObject([
        { times: [{}], finalTimes: [{}] },
      ])
    })
  })

  describe('eviction', () => {
    test('closed attempts leave after a while, open ones never', () => {
      const open = memory(
        {},
        { at: 1, code: 486 },
        { callId: 'call-2' },
        { callId: 'call-2', at: 1, code: 180 },
      )
      open.flush()
      open.asOfUs = START_US + 60_000_000
      open.attempts.evict(open.asOfUs, open.entriesMax)
      expect(open.attempts.size).toBe(1)
    })

    test('a call that is up stays, until there are too many', () => {
      const open = memory(...ANSWERED)
      open.flush()
      open.evictAll()
      expect(open.attempts.size).toBe(1)
      const full = new Memory(0)
      full.add(...ANSWERED).flush()
      full.attempts.evict(full.asOfUs, full.entriesMax)
      expect(full.attempts.size).toBe(0)
    })

    test('what has not been written does not leave', () => {
      const open = new Memory(0)
      open.add({}, { at: 1, code: 486 })
      open.evictAll()
      expect(open.attempts.size).toBe(1)
    })

    test('a late message finds the stored facts, and gives what it would have given in memory', () => {
      const kept = memory(...ANSWERED)
      kept.flush()
      const gone = new Memory(0)
      gone.add(...ANSWERED).flush()
      gone.attempts.evict(gone.asOfUs, gone.entriesMax)
      const late: MessageFields[] = [
        { at: 1.5, code: 183, toTag: 'x' },
        { at: 30, ...BYE },
      ]
      expect(gone.add(...late).flush().attempts).toEqual(kept.add(...late).flush().attempts)
      expect([...gone.rows.values()].map((row) => row.version)).toEqual([2])
    })
  })

  describe('stale minutes', () => {
    test('those in which a new attempt begins and its call ends', () => {
      expect(memory(...ANSWERED, { at: 130, ...BYE }).flush().staleS).toEqual([0, 120])
    })

    test('a BYE leaves the minute of the INVITE alone', () => {
      const open = memory(...ANSWERED)
      open.flush()
      expect(open.add({ at: 130, ...BYE }).flush().staleS).toEqual([120])
    })

    test('a straggler that changes no number makes none stale', () => {
      const open = memory(...ANSWERED)
      open.flush()
      expect(
        open.add({ at: 2.5, code: 200 }, { at: 2.6, cseqMethod: 'ACK', toTag: 'to-1' }).flush().staleS,
      ).toEqual([])
    })

    test('an INVITE that comes late makes both minutes stale', () => {
      const open = memory({ at: 61, code: 180 })
      expect(open.flush().staleS).toEqual([60])
      expect(open.add({ at: 59 }).flush().staleS).toEqual([0, 60])
    })

    test('a fragment makes none stale, the attempt it turns out to be does', () => {
      const open = memory({ at: 61, ...BYE })
      expect(open.flush().staleS).toEqual([])
      expect(open.add(...ANSWERED).flush().staleS).toEqual([0, 60])
    })

    test('after reading back all of its minutes are, because what they count of it is not known', () => {
      const open = new Memory(0)
      open.add(...ANSWERED, { at: 130, ...BYE }).flush()
      open.attempts.evict(open.asOfUs, open.entriesMax)
      expect(open.add({ at: 131, ...BYE, code: 200 }).flush().staleS).toEqual([0, 120])
    })

    test('an end that turns out to be none makes its minute stale, read back or not', () => {
      for (const isReadBack of [false, true]) {
        const open = new Memory(isReadBack ? 0 : 100)
        // The answer of a re-INVITE that has not come yet looks like the call’s own.
        open.add({}, { at: 61, code: 200, cseqNumber: 2, branch: 're' }, { at: 130, ...BYE })
        expect(open.flush().staleS).toEqual([0, 120])
        if (isReadBack) open.attempts.evict(open.asOfUs, open.entriesMax)
        open.add({ at: 60, toTag: 'to-1', cseqNumber: 2, branch: 're' })
        expect(open.flush().staleS).toEqual([0, 120])
      }
    })
  })

  test('an open attempt that was read back at the start goes on, and closes by the passing of time', () => {
    const before = memory({})
    before.flush()
    const [row] = [...before.rows.values()]
    const open = new Memory()
    const stored = { version: 7, minuteS: MINUTE_S, endMinuteS: 0 }
    open.attempts.restore(row!.attempt.attemptId, FOLD.factsFromText(row!.factsText), stored, START_US)
    const { attempts, staleS } = open.flush(32)
    expect(attempts).toMatchObject([{ disposition: 'TIMEOUT' }])
    expect(staleS).toEqual([0])
    expect([...open.rows.values()][0]?.version).toBe(8)
  })

  describe('behind the horizon of the index', () => {
    const behind = (message: MessageFields) => {
      const open = new Memory()
      open.index.horizonS = MINUTE_S
      open.add(message)
      return open.attempts.takeDirty(open.asOfUs)[0]?.unreadMinuteS
    }

    test('the store is asked about what may have begun before it', () => {
      expect(behind({ at: 1_800 })).toBe(0)
    })

    test('and about any message of a dialog', () => {
      expect(behind({ at: 9_000, code: 200 })).toBe(0)
    })

    test('an INVITE that comes well after it begins something new', () => {
      expect(behind({ at: 9_000 })).toBeUndefined()
    })
  })
})
